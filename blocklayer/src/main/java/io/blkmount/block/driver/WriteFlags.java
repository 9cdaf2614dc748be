// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.driver;

/** How to write: a set of five flags, 32 shared instances, nothing to allocate. */
public final class WriteFlags {
  private static final int FUA_BIT = 1;
  private static final int MAY_UNMAP_BIT = 2;
  private static final int NO_FALLBACK_BIT = 4;
  private static final int UNCHANGED_BIT = 8;
  private static final int COMPRESSED_BIT = 16;
  private static final WriteFlags[] ALL = new WriteFlags[32];

  static {
    for (int bits = 0; bits < ALL.length; bits++) {
      ALL[bits] = new WriteFlags(bits);
    }
  }

  /** A plain write. */
  public static final WriteFlags NONE = ALL[0];

  /** Durable when the call returns (force unit access). */
  public static final WriteFlags FUA = ALL[FUA_BIT];

  /** Zeros may be made by giving space back. */
  public static final WriteFlags MAY_UNMAP = ALL[MAY_UNMAP_BIT];

  /** Zeros only if that is faster than writing them; else {@code NOT_SUPPORTED}. */
  public static final WriteFlags NO_FALLBACK = ALL[NO_FALLBACK_BIT];

  /** The guest's bytes do not change (copy-on-read): allowed where only that permission is held. */
  public static final WriteFlags UNCHANGED = ALL[UNCHANGED_BIT];

  /**
   * Stored compressed: whole clusters, the last one as long as the disk goes. What does not become
   * shorter by it is stored as it is. {@code NOT_SUPPORTED} where the driver does not name it.
   */
  public static final WriteFlags COMPRESSED = ALL[COMPRESSED_BIT];

  private final int bits;

  private WriteFlags(int bits) {
    this.bits = bits;
  }

  /**
   * Returns whether all of {@code flags} are set here.
   *
   * @param flags what to look for
   */
  public boolean has(WriteFlags flags) {
    return (bits & flags.bits) == flags.bits;
  }

  /**
   * Returns these and {@code flags}.
   *
   * @param flags what to add
   */
  public WriteFlags with(WriteFlags flags) {
    return ALL[bits | flags.bits];
  }

  /**
   * Returns these without {@code flags}.
   *
   * @param flags what to leave out
   */
  public WriteFlags without(WriteFlags flags) {
    return ALL[bits & ~flags.bits];
  }

  /**
   * Returns what is both here and in {@code flags}.
   *
   * @param flags what may stay
   */
  public WriteFlags only(WriteFlags flags) {
    return ALL[bits & flags.bits];
  }

  @Override
  public String toString() {
    StringBuilder names = new StringBuilder("[");
    append(names, FUA, "FUA");
    append(names, MAY_UNMAP, "MAY_UNMAP");
    append(names, NO_FALLBACK, "NO_FALLBACK");
    append(names, UNCHANGED, "UNCHANGED");
    append(names, COMPRESSED, "COMPRESSED");
    return names.append(']').toString();
  }

  private void append(StringBuilder names, WriteFlags flag, String name) {
    if (has(flag)) {
      names.append(names.length() == 1 ? "" : " ").append(name);
    }
  }
}
