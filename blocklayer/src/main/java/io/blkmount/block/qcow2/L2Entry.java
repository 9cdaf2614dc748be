// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

/**
 * A standard L2 entry, or the first word of an extended one, which has no zero flag; the second is
 * a {@link SubclusterMap}.
 *
 * <pre>
 * normal      | 63 COPIED | 62 = 0 | 56-61 0 | 9-55 host offset | 1-8 0 | 0 reads as zero (v3) |
 * compressed  | 63 = 0    | 62 = 1 | 0-61 see CompressedCluster                                |
 * </pre>
 */
final class L2Entry {
  /** What an entry says of its cluster. */
  enum Kind {
    /** Nothing: the backing file is asked. */
    UNALLOCATED,
    /** Zeros, without a host cluster. */
    ZERO_PLAIN,
    /** Zeros, with a host cluster in reserve. */
    ZERO_ALLOCATED,
    /** Stored as it is. */
    NORMAL,
    /** Stored compressed. */
    COMPRESSED
  }

  static final long UNALLOCATED_ENTRY = 0;
  static final long ZERO_ENTRY = 1;
  private static final long COPIED = 1L << 63;
  private static final long COMPRESSED = 1L << 62;

  /** Bits 56 to 61, which a larger offset would need. */
  private static final long RESERVED_HIGH = 0x3f00_0000_0000_0000L;

  private L2Entry() {}

  /**
   * Returns the kind of an entry.
   *
   * @param zeroFlagKnown whether bit 0 has a meaning: version 3
   */
  static Kind kind(long entry, boolean zeroFlagKnown) {
    return kind(entry, zeroFlagKnown, hostOffset(entry) != 0);
  }

  /**
   * Returns the kind of an entry of an image with an external data file, whose first cluster is as
   * good as any other: there offset 0 is one if COPIED is set.
   */
  static Kind externalKind(long entry) {
    return kind(entry, true, hostOffset(entry) != 0 || isCopied(entry));
  }

  /**
   * Returns whether an entry that is not compressed names a host cluster.
   *
   * @param isExternal whether that is one of an external data file, as for {@link #externalKind}
   */
  static boolean namesHostCluster(long entry, boolean isExternal) {
    return hostOffset(entry) != 0 || (isExternal && isCopied(entry));
  }

  private static Kind kind(long entry, boolean zeroFlagKnown, boolean hasHostCluster) {
    if ((entry & COMPRESSED) != 0) {
      return Kind.COMPRESSED;
    }
    if (zeroFlagKnown && (entry & ZERO_ENTRY) != 0) {
      return hasHostCluster ? Kind.ZERO_ALLOCATED : Kind.ZERO_PLAIN;
    }
    return hasHostCluster ? Kind.NORMAL : Kind.UNALLOCATED;
  }

  /** Returns whether an entry of a kind names a host cluster of its own. */
  static boolean hasHostCluster(Kind kind) {
    return kind == Kind.NORMAL || kind == Kind.ZERO_ALLOCATED;
  }

  /** Returns whether a standard entry has bits above its offset that mean nothing. */
  static boolean hasReservedBits(long entry) {
    return (entry & RESERVED_HIGH) != 0;
  }

  static long normal(long hostOffset) {
    return hostOffset | COPIED;
  }

  static long zeroAllocated(long hostOffset) {
    return hostOffset | COPIED | ZERO_ENTRY;
  }

  static boolean isCompressed(long entry) {
    return (entry & COMPRESSED) != 0;
  }

  /** Returns a standard entry with or without the flag that its host cluster is its alone. */
  static long withCopied(long entry, boolean copied) {
    return copied ? entry | COPIED : entry & ~COPIED;
  }

  static long hostOffset(long entry) {
    return entry & L1Entry.OFFSET_MASK;
  }

  /**
   * Returns whether the host cluster belongs to this entry alone, so that it may be overwritten.
   */
  static boolean isCopied(long entry) {
    return (entry & COPIED) != 0;
  }
}
