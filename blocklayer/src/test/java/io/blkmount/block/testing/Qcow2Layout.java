// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.testing;

import io.blkmount.block.error.CorruptImageException;
import java.nio.ByteBuffer;

/**
 * A qcow2 header as the format describes it; written apart from the driver, so that neither hides
 * the other's mistakes.
 *
 * @param version 2 or 3
 * @param clusterBits log2 of the cluster size
 * @param size of the virtual disk in bytes
 * @param l1Offset of the active L1 table
 * @param l1Size its entries
 * @param refcountTableOffset of the refcount table
 * @param refcountTableClusters its length
 * @param snapshotCount internal snapshots
 * @param snapshotsOffset of the snapshot table
 * @param incompatible feature bits
 * @param refcountOrder log2 of the refcount width in bits
 * @param compressionType 0 deflate, 1 zstd
 * @param bitmapsOffset of the bitmap directory, 0 if there is none that is up to date
 * @param bitmapCount its records
 * @param bitmapsLength its length in bytes
 * @param cryptOffset of the encryption header, 0 if there is none
 * @param cryptLength of the encryption header in bytes
 */
public record Qcow2Layout(
    int version,
    int clusterBits,
    long size,
    long l1Offset,
    int l1Size,
    long refcountTableOffset,
    int refcountTableClusters,
    int snapshotCount,
    long snapshotsOffset,
    long incompatible,
    int refcountOrder,
    int compressionType,
    long bitmapsOffset,
    int bitmapCount,
    long bitmapsLength,
    long cryptOffset,
    long cryptLength) {
  /** Bits 9 to 55: where an entry of L1 or L2 points to. */
  static final long OFFSET_MASK = 0x00ff_ffff_ffff_fe00L;

  private static final int MAGIC = 0x514649fb;
  private static final int EXTENSION_BITMAPS = 0x23852875;
  private static final int EXTENSION_CRYPT = 0x0537be77;

  /** Dirty, corrupt, data file, compression type, extended L2. */
  private static final long KNOWN_INCOMPATIBLE = 0x1f;

  /**
   * Reads a header.
   *
   * @param image the whole image
   * @throws CorruptImageException if a field breaks a rule
   */
  public static Qcow2Layout parse(PagedBytes image) throws CorruptImageException {
    require(image.length() >= 72, "shorter than a header");
    ByteBuffer header = ByteBuffer.wrap(image.bytes(0, 112));
    require(header.getInt(0) == MAGIC, "magic");
    int version = header.getInt(4);
    require(version == 2 || version == 3, "version " + version);
    int clusterBits = header.getInt(20);
    require(clusterBits >= 9 && clusterBits <= 21, "cluster_bits " + clusterBits);
    boolean v3 = version == 3;
    int headerLength = v3 ? header.getInt(100) : 72;
    require(!v3 || (headerLength >= 104 && headerLength % 8 == 0), "header_length");
    long[] extensions = extensions(image, headerLength, 1 << clusterBits, header);
    Qcow2Layout layout =
        new Qcow2Layout(
            version,
            clusterBits,
            header.getLong(24),
            header.getLong(40),
            header.getInt(36),
            header.getLong(48),
            header.getInt(56),
            header.getInt(60),
            header.getLong(64),
            v3 ? header.getLong(72) : 0,
            v3 ? header.getInt(96) : 4,
            headerLength > 104 ? header.get(104) : 0,
            extensions[0],
            (int) extensions[3],
            extensions[4],
            extensions[1],
            extensions[2]);
    layout.requireSound();
    return layout;
  }

  /** Walks the extensions to their end; returns where bitmap directory and crypto header are. */
  private static long[] extensions(PagedBytes image, int start, int clusterSize, ByteBuffer header)
      throws CorruptImageException {
    long backingOffset = header.getLong(8);
    int backingLength = header.getInt(16);
    require(backingOffset + backingLength <= clusterSize, "backing file name past cluster 0");
    require(backingOffset == 0 || backingOffset >= start, "backing file name inside the header");
    ByteBuffer cluster = ByteBuffer.wrap(image.bytes(0, clusterSize));
    int end = backingOffset == 0 ? clusterSize : (int) backingOffset;
    boolean hasBitmaps = header.getInt(4) == 3 && (header.getLong(88) & 1) != 0;
    long[] found = new long[5];
    int at = start;
    while (at + 8 <= end && cluster.getInt(at) != 0) {
      long length = Integer.toUnsignedLong(cluster.getInt(at + 4));
      require(length <= end - at - 8, "extension at " + at + " too long: " + length);
      if (cluster.getInt(at) == EXTENSION_BITMAPS && hasBitmaps) {
        require(found[0] == 0 && length == 24, "bitmaps extension");
        found[0] = cluster.getLong(at + 24);
        found[3] = cluster.getInt(at + 8);
        found[4] = cluster.getLong(at + 16);
      } else if (cluster.getInt(at) == EXTENSION_CRYPT) {
        found[1] = cluster.getLong(at + 8);
        found[2] = cluster.getLong(at + 16);
      }
      at += 8 + (int) (length + 7 & ~7);
    }
    return found;
  }

  /**
   * Returns the layout of what an internal snapshot holds.
   *
   * @param image the whole image
   * @param index in the snapshot table
   */
  public Qcow2Layout ofSnapshot(PagedBytes image, int index) {
    long at = snapshotsOffset;
    for (int i = 0; i < index; i++) {
      ByteBuffer before = ByteBuffer.wrap(image.bytes(at, 40));
      at += 40 + before.getInt(36) + before.getChar(12) + before.getChar(14);
      at = (at + 7) & -8;
    }
    ByteBuffer record = ByteBuffer.wrap(image.bytes(at, 56));
    long diskSize = record.getInt(36) >= 16 ? record.getLong(48) : size;
    return new Qcow2Layout(
        version,
        clusterBits,
        diskSize,
        record.getLong(0),
        record.getInt(8),
        refcountTableOffset,
        refcountTableClusters,
        snapshotCount,
        snapshotsOffset,
        incompatible,
        refcountOrder,
        compressionType,
        bitmapsOffset,
        bitmapCount,
        bitmapsLength,
        cryptOffset,
        cryptLength);
  }

  private void requireSound() throws CorruptImageException {
    require(refcountOrder >= 0 && refcountOrder <= 6, "refcount_order " + refcountOrder);
    require((incompatible & ~KNOWN_INCOMPATIBLE) == 0, "unknown incompatible bits");
    require(isClusterAligned(l1Offset), "L1 table unaligned");
    require(isClusterAligned(refcountTableOffset), "refcount table unaligned");
    require(isClusterAligned(snapshotsOffset), "snapshot table unaligned");
    require(refcountTableOffset > 0 && refcountTableClusters > 0, "no refcount table");
    require(refcountTableBytes() <= 8 << 20, "refcount table too large");
    require(size >= 0 && l1Size >= 0 && l1Size <= 4 << 20, "L1 table too large");
    require(l1Size >= divideUp(size, l2Span()), "L1 table too small for the disk");
    require(l1Size == 0 || l1Offset > 0, "L1 table at 0");
  }

  private static void require(boolean ok, String problem) throws CorruptImageException {
    if (!ok) {
      throw new CorruptImageException("header", 0, problem);
    }
  }

  static long divideUp(long value, long divisor) {
    return value / divisor + (value % divisor == 0 ? 0 : 1);
  }

  /** Returns the cluster size in bytes. */
  public int clusterSize() {
    return 1 << clusterBits;
  }

  boolean isClusterAligned(long offset) {
    return (offset & (clusterSize() - 1)) == 0;
  }

  boolean isExtended() {
    return (incompatible & 0x10) != 0;
  }

  boolean hasDataFile() {
    return (incompatible & 4) != 0;
  }

  /**
   * Returns whether an L2 entry that is not compressed has a host cluster; one at the start of an
   * external data file has nothing but the COPIED flag to say so.
   */
  boolean hasHostCluster(long entry) {
    return (entry & OFFSET_MASK) != 0 || (hasDataFile() && entry < 0);
  }

  /** Returns whether the dirty bit says that refcounts are to be rebuilt. */
  public boolean isDirty() {
    return (incompatible & 1) != 0;
  }

  int l2EntrySize() {
    return isExtended() ? 16 : 8;
  }

  int l2Entries() {
    return clusterSize() / l2EntrySize();
  }

  /** Returns how many guest bytes one L2 table maps. */
  long l2Span() {
    return (long) l2Entries() << clusterBits;
  }

  long refcountTableBytes() {
    return (long) refcountTableClusters << clusterBits;
  }

  int refcountsPerBlock() {
    return clusterSize() * 8 >> refcountOrder;
  }

  /** Returns how many low bits of a compressed entry are the host offset. */
  int compressedOffsetBits() {
    return 62 - (clusterBits - 8);
  }

  long compressedOffset(long entry) {
    return entry & (1L << compressedOffsetBits()) - 1;
  }

  /** Returns the bytes of whole sectors that a compressed entry spans, from its first sector on. */
  long compressedSpan(long entry) {
    long more = (entry & (1L << 62) - 1) >> compressedOffsetBits();
    return (more + 1) * 512;
  }
}
