// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.bytes.Alignment;
import io.blkmount.block.driver.DriverOptions;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;

/**
 * How much metadata may stay in memory: QEMU's options, and how they go together.
 *
 * @param total {@code cache-size} in bytes: of both; 0 if it was not given
 * @param l2 {@code l2-cache-size} in bytes; 0 if it was not given
 * @param refcounts {@code refcount-cache-size} in bytes; 0 if it was not given
 * @param l2Entry {@code l2-cache-entry-size} in bytes: how much of an L2 table is cached as one
 *     piece; {@link #NOT_GIVEN}, which 0 is not, as in QEMU
 */
record CacheSizes(long total, long l2, long refcounts, long l2Entry) {
  /** QEMU's default on Linux: covers 256 GiB with clusters of 64 KiB. */
  static final long MAX_L2 = 32L << 20;

  /** Refcounts are used in sequence, so that a small cache is as good as a large one. */
  private static final long DEFAULT_REFCOUNTS = 256L << 10;

  static final long NOT_GIVEN = -1;

  /** Slices; two requests in the same cluster may need as many. */
  private static final long MIN_REFCOUNT_SLICES = 4;

  static CacheSizes take(DriverOptions options) throws BlockException {
    CacheSizes sizes =
        new CacheSizes(
            options.takeSize("cache-size", 0),
            options.takeSize("l2-cache-size", 0),
            options.takeSize("refcount-cache-size", 0),
            options.takeSize("l2-cache-entry-size", NOT_GIVEN));
    sizes.requireTogether();
    return sizes;
  }

  private void requireTogether() throws BlockException {
    if (total > 0 && l2 > 0 && refcounts > 0) {
      throw invalid("cache-size, l2-cache-size and refcount-cache-size: one of them has to go");
    }
    if (total > 0 && l2 > total) {
      throw invalid("l2-cache-size=" + l2 + ": more than cache-size=" + total);
    }
    if (total > 0 && refcounts > total) {
      throw invalid("refcount-cache-size=" + refcounts + ": more than cache-size=" + total);
    }
  }

  /** Fails if a size does not go with the image. */
  void requireFor(int clusterSize) throws BlockException {
    boolean isSound =
        Alignment.isPowerOfTwo(l2Entry)
            && l2Entry >= 1 << HeaderReader.MIN_CLUSTER_BITS
            && l2Entry <= clusterSize;
    if (l2Entry != NOT_GIVEN && !isSound) {
      throw invalid(
          "l2-cache-entry-size="
              + l2Entry
              + ": not a power of two from 512 to the cluster size, "
              + clusterSize);
    }
  }

  /** Returns how many bytes of an L2 table are one piece, or 0 for the default. */
  int l2SliceSize() {
    return (int) Math.max(0, l2Entry);
  }

  /**
   * Returns the bytes for L2 tables.
   *
   * @param needed what all tables of the image take
   */
  long l2Bytes(long needed, ClusterGeometry geometry) {
    if (l2 > 0) {
      return l2;
    }
    if (total == 0) {
      return Math.min(MAX_L2, needed);
    }
    long rest = total - (refcounts > 0 ? refcounts : leastRefcounts(geometry));
    return Math.max(1, Math.min(rest, needed));
  }

  /** Returns the bytes for refcounts; above QEMU's least if nothing is wanted for L2 tables. */
  long refcountBytes(long needed, ClusterGeometry geometry) {
    long wanted = DEFAULT_REFCOUNTS;
    if (refcounts > 0) {
      wanted = refcounts;
    } else if (total > 0) {
      wanted = total - l2Bytes(needed, geometry);
    }
    return Math.max(wanted, leastRefcounts(geometry));
  }

  private static long leastRefcounts(ClusterGeometry geometry) {
    return MIN_REFCOUNT_SLICES * geometry.refcountSliceSize();
  }

  private static BlockException invalid(String problem) {
    return new BlockException(BlockError.INVALID, "option " + problem);
  }
}
