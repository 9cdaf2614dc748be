// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * Where the metadata of an image without data lies, in clusters from the start of the file.
 *
 * <pre>
 * 0 header | 1 refcount table ... | refcount blocks ... | L1 table ... | LUKS header ... | end
 * </pre>
 *
 * @param clusterBits of the image
 * @param refcountOrder of the image
 * @param refcountTableClusters at least 1
 * @param refcountBlocks enough to count all clusters up to the end, themselves too
 * @param l1Clusters 0 for a disk of 0 bytes
 * @param cryptoClusters 0 for a disk without LUKS
 */
record EmptyImageLayout(
    int clusterBits,
    int refcountOrder,
    int refcountTableClusters,
    int refcountBlocks,
    int l1Clusters,
    int cryptoClusters) {
  private static final int HEADER_CLUSTERS = 1;

  /**
   * Returns the layout for a number of L1 entries.
   *
   * @param l1EntryCount within the limit of the format
   * @param cryptoLength of the LUKS header with its key material, 0 if there is none
   */
  static EmptyImageLayout of(
      int clusterBits, int refcountOrder, int l1EntryCount, long cryptoLength) {
    int cryptoClusters = clustersFor(cryptoLength, clusterBits);
    int l1Clusters = clustersFor((long) l1EntryCount * Long.BYTES, clusterBits);
    int countsPerBlock = new RefcountWidth(refcountOrder).perBytes(1 << clusterBits);
    EmptyImageLayout layout =
        new EmptyImageLayout(clusterBits, refcountOrder, 1, 1, l1Clusters, cryptoClusters);
    while (true) {
      int blocks = (layout.clusterCount() + countsPerBlock - 1) / countsPerBlock;
      int tableClusters = clustersFor((long) blocks * Long.BYTES, clusterBits);
      if (blocks == layout.refcountBlocks && tableClusters == layout.refcountTableClusters) {
        return layout;
      }
      layout =
          new EmptyImageLayout(
              clusterBits, refcountOrder, tableClusters, blocks, l1Clusters, cryptoClusters);
    }
  }

  /** Returns how many clusters the image has. */
  int clusterCount() {
    return HEADER_CLUSTERS + refcountTableClusters + refcountBlocks + l1Clusters + cryptoClusters;
  }

  /** Returns the length of the file in bytes. */
  long fileLength() {
    return offset(clusterCount());
  }

  long refcountTableOffset() {
    return offset(HEADER_CLUSTERS);
  }

  long refcountBlockOffset(int blockIndex) {
    return offset(HEADER_CLUSTERS + refcountTableClusters + blockIndex);
  }

  /** Returns the L1 table's host offset; 0, as QEMU writes it, if there is none. */
  long l1TableOffset() {
    return l1Clusters == 0 ? 0 : offset(clusterCount() - cryptoClusters - l1Clusters);
  }

  /** Returns the LUKS header's host offset, of no meaning if there is none. */
  long cryptoOffset() {
    return offset(clusterCount() - cryptoClusters);
  }

  /** Fills in the whole refcount table, which is zero, at the buffer's start. */
  void encodeRefcountTable(ByteBuffer table) {
    ByteBuffer entries = table.slice().order(ByteOrder.BIG_ENDIAN);
    for (int block = 0; block < refcountBlocks; block++) {
      entries.putLong(refcountBlockOffset(block));
    }
  }

  /** Sets the counts of one block, which is zero: 1 for each cluster of the file. */
  void encodeRefcountBlock(int blockIndex, ByteBuffer block) {
    RefcountWidth width = new RefcountWidth(refcountOrder);
    ByteBuffer counts = block.slice().order(ByteOrder.BIG_ENDIAN);
    int perBlock = width.perBytes(counts.limit());
    long used = Math.min(perBlock, clusterCount() - (long) blockIndex * perBlock);
    for (int index = 0; index < used; index++) {
      width.set(counts, index, 1);
    }
  }

  private long offset(int clusterIndex) {
    return (long) clusterIndex << clusterBits;
  }

  private static int clustersFor(long bytes, int clusterBits) {
    return (int) ((bytes + (1L << clusterBits) - 1) >> clusterBits);
  }
}
