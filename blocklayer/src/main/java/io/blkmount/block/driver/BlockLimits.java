// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.driver;

import io.blkmount.block.bytes.Alignment;

/**
 * The numbers that requests are padded and split to. Stands for QEMU's {@code BlockLimits}.
 *
 * @param requestAlignment offset and length of reads and writes are multiples of it; a power of two
 * @param memoryAlignment address of buffers should be a multiple of it, else the driver copies
 * @param maxTransfer longest read or write in bytes, a multiple of {@code requestAlignment}
 * @param zeroAlignment offset and length of {@code writeZeroes}; a power of two, at least {@code
 *     requestAlignment}
 * @param maxZeroes longest {@code writeZeroes} in bytes
 * @param discardAlignment offset and length of {@code discard}; a power of two
 * @param maxDiscard longest {@code discard} in bytes
 * @param clusterSize the unit of allocation in bytes, which copy-on-read rounds to; 1 if none
 */
public record BlockLimits(
    int requestAlignment,
    int memoryAlignment,
    int maxTransfer,
    int zeroAlignment,
    long maxZeroes,
    int discardAlignment,
    long maxDiscard,
    int clusterSize) {
  /** Longest transfer of a driver without a limit of its own: what one pwrite(2) surely takes. */
  public static final int DEFAULT_MAX_TRANSFER = 1 << 30;

  /** Byte granularity and no limits. */
  public static final BlockLimits NONE = ofCluster(1);

  /** Checks that the alignments are powers of two. */
  public BlockLimits {
    if (!Alignment.isPowerOfTwo(requestAlignment)
        || !Alignment.isPowerOfTwo(memoryAlignment)
        || !Alignment.isPowerOfTwo(zeroAlignment)
        || !Alignment.isPowerOfTwo(discardAlignment)
        || !Alignment.isPowerOfTwo(clusterSize)
        || zeroAlignment < requestAlignment
        || !Alignment.isAligned(maxTransfer, requestAlignment)) {
      throw new IllegalArgumentException("bad limits");
    }
  }

  /**
   * Returns the limits of a format that takes any byte range and allocates in clusters.
   *
   * @param clusterSize in bytes, a power of two
   */
  public static BlockLimits ofCluster(int clusterSize) {
    return ofClusters(clusterSize, clusterSize);
  }

  /**
   * Returns the limits of a format that takes any byte range, allocates in clusters, and zeroes and
   * discards in smaller units.
   *
   * @param clusterSize in bytes, a power of two
   * @param subclusterSize in bytes, a power of two
   */
  public static BlockLimits ofClusters(int clusterSize, int subclusterSize) {
    return new BlockLimits(
        1,
        1,
        DEFAULT_MAX_TRANSFER,
        subclusterSize,
        Long.MAX_VALUE,
        subclusterSize,
        Long.MAX_VALUE,
        clusterSize);
  }

  /**
   * Returns the limits of a file that is read and written in whole blocks.
   *
   * @param requestAlignment in bytes, a power of two
   * @param memoryAlignment in bytes, a power of two
   */
  public static BlockLimits ofBlocks(int requestAlignment, int memoryAlignment) {
    return new BlockLimits(
        requestAlignment,
        memoryAlignment,
        DEFAULT_MAX_TRANSFER,
        requestAlignment,
        Long.MAX_VALUE,
        requestAlignment,
        Long.MAX_VALUE,
        1);
  }

  /**
   * Returns these limits with another request alignment.
   *
   * @param alignment in bytes, a power of two, at most the zero alignment
   */
  public BlockLimits withRequestAlignment(int alignment) {
    return new BlockLimits(
        alignment,
        memoryAlignment,
        maxTransfer,
        zeroAlignment,
        maxZeroes,
        discardAlignment,
        maxDiscard,
        clusterSize);
  }
}
