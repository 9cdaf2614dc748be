// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.bytes.Alignment;

/**
 * How guest and host offsets fall into clusters and tables.
 *
 * <pre>
 * guest offset   | L1 index | L2 index (clusterBits - entryShift) | offset in cluster (clusterBits) |
 *                                          extended L2 entries:   | subcluster (5) | offset in it   |
 * </pre>
 *
 * @param clusterBits binary logarithm of the cluster size, 9 to 21
 * @param entryShift binary logarithm of the bytes of an L2 entry: 3, or 4 if it is extended
 * @param sliceSize how many bytes of an L2 table are cached as one piece: a power of two from 512
 *     to the cluster size
 */
record ClusterGeometry(int clusterBits, int entryShift, int sliceSize) {
  /** Bytes of an L1, standard L2 or refcount table entry, as a shift. */
  static final int ENTRY_SHIFT = 3;

  /** Bytes of an extended L2 entry, as a shift. */
  static final int EXTENDED_SHIFT = 4;

  /** Subclusters of a cluster, as a shift. */
  private static final int SUBCLUSTER_SHIFT = 5;

  /** The part of a table that is cached as one piece: QEMU's default since 4.0. */
  private static final int DEFAULT_SLICE = 4096;

  /** Creates the geometry of an image with standard L2 entries. */
  ClusterGeometry(int clusterBits) {
    this(clusterBits, ENTRY_SHIFT, defaultSlice(clusterBits));
  }

  /** Returns how much of any table is one piece if nothing else is said: at most a cluster. */
  private static int defaultSlice(int clusterBits) {
    return Math.min(DEFAULT_SLICE, 1 << clusterBits);
  }

  /**
   * Returns the geometry of an image.
   *
   * @param sliceSize as above, or 0 for the default
   */
  static ClusterGeometry of(Qcow2Header header, int sliceSize) {
    boolean extended = header.hasIncompatible(FeatureBits.EXTENDED_L2);
    int bits = header.clusterBits();
    return new ClusterGeometry(
        bits,
        extended ? EXTENDED_SHIFT : ENTRY_SHIFT,
        sliceSize == 0 ? defaultSlice(bits) : sliceSize);
  }

  /** Returns how many bytes of a refcount block are cached as one piece. */
  int refcountSliceSize() {
    return defaultSlice(clusterBits);
  }

  int clusterSize() {
    return 1 << clusterBits;
  }

  /** Returns whether L2 entries say of each subcluster where it is. */
  boolean hasSubclusters() {
    return entryShift == EXTENDED_SHIFT;
  }

  /** Returns the bits of an offset in a subcluster; without subclusters, that is the cluster. */
  int subclusterBits() {
    return hasSubclusters() ? clusterBits - SUBCLUSTER_SHIFT : clusterBits;
  }

  int subclusterSize() {
    return 1 << subclusterBits();
  }

  /** Returns the number, in its cluster, of the subcluster of a guest offset. */
  int subclusterIndex(long guestOffset) {
    return offsetInCluster(guestOffset) >> subclusterBits();
  }

  long subclusterEnd(long offset) {
    return Alignment.up(offset, subclusterSize());
  }

  int entriesPerSlice() {
    return sliceSize() >> entryShift;
  }

  int entriesPerL2() {
    return clusterSize() >> entryShift;
  }

  /** Returns how many guest bytes one L2 table maps. */
  long l2Span() {
    return (long) entriesPerL2() << clusterBits;
  }

  int l1Index(long guestOffset) {
    return Math.toIntExact(guestOffset >>> (clusterBits + clusterBits - entryShift));
  }

  /** Returns how many L1 entries a disk of {@code length} bytes needs. */
  long l1EntriesFor(long length) {
    return l1EntriesFor(length, clusterBits, hasSubclusters());
  }

  /**
   * Returns how many L1 entries map a disk.
   *
   * @param length of the disk in bytes, not negative
   * @param clusterBits of the image
   * @param extendedL2 whether L2 entries have 16 bytes instead of 8
   */
  static long l1EntriesFor(long length, int clusterBits, boolean extendedL2) {
    int spanBits = 2 * clusterBits - (extendedL2 ? EXTENDED_SHIFT : ENTRY_SHIFT);
    return length == 0 ? 0 : ((length - 1) >> spanBits) + 1;
  }

  int l2Index(long guestOffset) {
    return (int) (guestOffset >>> clusterBits) & (entriesPerL2() - 1);
  }

  /** Returns where, in an L2 table, the slice begins that maps {@code guestOffset}. */
  int sliceOffset(long guestOffset) {
    return (l2Index(guestOffset) << entryShift) & -sliceSize();
  }

  int indexInSlice(long guestOffset) {
    return l2Index(guestOffset) & (entriesPerSlice() - 1);
  }

  /** Returns which word of a slice the extended entry of {@code guestOffset} begins with. */
  int wordInSlice(long guestOffset) {
    return indexInSlice(guestOffset) << 1;
  }

  /** Returns the first guest offset that the slice for {@code guestOffset} does not map. */
  long sliceSpanEnd(long guestOffset) {
    long span = (long) entriesPerSlice() << clusterBits;
    return Alignment.down(guestOffset, span) + span;
  }

  long clusterStart(long offset) {
    return Alignment.down(offset, clusterSize());
  }

  long clusterEnd(long offset) {
    return Alignment.up(offset, clusterSize());
  }

  int offsetInCluster(long offset) {
    return (int) (offset & (clusterSize() - 1));
  }

  boolean isClusterAligned(long offset) {
    return offsetInCluster(offset) == 0;
  }

  /** Returns how many clusters the bytes from {@code offset} on touch. */
  long clustersTouched(long offset, long length) {
    return (clusterEnd(offset + length) - clusterStart(offset)) >> clusterBits;
  }
}
