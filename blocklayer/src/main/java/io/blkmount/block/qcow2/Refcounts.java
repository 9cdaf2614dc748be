// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import io.blkmount.block.error.CorruptImageException;
import java.io.IOException;

/**
 * Reads and changes the refcounts of host clusters.
 *
 * <p>What is in memory here may always be written: a refcount goes up long before an entry needs
 * it, and it goes down only after the entry that held it is durably gone.
 */
final class Refcounts {
  private final Metadata metadata;
  private final int perBlock;
  private final int perSlice;

  /** Lowest cluster that became free since the allocator asked; guarded by the metadata lock. */
  private long lowestFreed = Long.MAX_VALUE;

  Refcounts(Metadata metadata) {
    this.metadata = metadata;
    this.perBlock = metadata.refcountWidth().perBytes(metadata.geometry().clusterSize());
    this.perSlice = metadata.refcountWidth().perBytes(metadata.geometry().refcountSliceSize());
  }

  /** Returns how many clusters one refcount block counts. */
  int perBlock() {
    return perBlock;
  }

  int perSlice() {
    return perSlice;
  }

  /** Returns where the block lies that counts {@code cluster}; 0 if there is none yet. */
  long blockOffset(long cluster) throws CorruptImageException {
    RootTable table = metadata.refcountTable();
    long index = cluster / perBlock;
    if (index >= table.entryCount()) {
      return 0;
    }
    long offset = table.entry((int) index) & L1Entry.OFFSET_MASK;
    if (!metadata.geometry().isClusterAligned(offset)) {
      throw new CorruptImageException(
          "refcount block",
          offset,
          "not a multiple of the cluster size " + metadata.geometry().clusterSize());
    }
    return offset;
  }

  /** Returns the pinned slice that counts {@code cluster}, which has a block. */
  Slice pin(long cluster) throws IOException {
    long inBlock = cluster % perBlock / perSlice * metadata.geometry().refcountSliceSize();
    return metadata.refcountCache().pin(blockOffset(cluster) + inBlock);
  }

  int indexInSlice(long cluster) {
    return (int) (cluster % perSlice);
  }

  /** Returns the refcount of a host cluster; 0 where no block counts it. */
  long get(long cluster) throws IOException {
    if (blockOffset(cluster) == 0) {
      return 0;
    }
    try (Slice slice = pin(cluster)) {
      return metadata.refcountWidth().get(slice.buffer(), indexInSlice(cluster));
    }
  }

  /**
   * Adds {@code delta} to the refcounts of a run of clusters that all have blocks.
   *
   * @throws CorruptImageException if one would go below zero; BlockException if one would not fit
   */
  void adjust(long firstCluster, long clusterCount, int delta) throws IOException {
    long end = firstCluster + clusterCount;
    for (long at = firstCluster; at < end; ) {
      long next = Math.min(end, at - at % perSlice + perSlice);
      adjustInSlice(at, (int) (next - at), delta);
      at = next;
    }
  }

  /** Returns the lowest cluster that became free since the last call; holds the metadata lock. */
  long takeLowestFreed() {
    long lowest = lowestFreed;
    lowestFreed = Long.MAX_VALUE;
    return lowest;
  }

  private void adjustInSlice(long first, int count, int delta) throws IOException {
    if (blockOffset(first) == 0) {
      throw belowZero(first, 0);
    }
    requireBlock(first);
    try (Slice slice = pin(first)) {
      metadata.lock().lock();
      try {
        requireAdjustable(slice, first, count, delta);
        apply(slice, first, count, delta);
      } finally {
        metadata.lock().unlock();
      }
    }
  }

  /** Fails if what counts {@code cluster} is something else, too: it is about to be changed. */
  void requireBlock(long cluster) throws CorruptImageException {
    metadata.guard().requireArea(blockOffset(cluster), OverlapGuard.Area.REFCOUNT_BLOCK);
  }

  private void requireAdjustable(Slice slice, long first, int count, int delta)
      throws BlockException {
    for (int i = 0; i < count; i++) {
      long before = refcount(slice, first + i);
      if (before + delta < 0) {
        throw belowZero(first + i, before);
      }
      if (before + delta > metadata.refcountWidth().max()) {
        throw new BlockException(
            BlockError.INVALID,
            "refcount of cluster " + (first + i) + ": " + before + " is the largest that fits");
      }
    }
  }

  private void apply(Slice slice, long first, int count, int delta) {
    for (int i = 0; i < count; i++) {
      long after = refcount(slice, first + i) + delta;
      metadata.refcountWidth().set(slice.buffer(), indexInSlice(first + i), after);
      if (after == 0) {
        lowestFreed = Math.min(lowestFreed, first + i);
        metadata.compressedTail().leave(first + i, first + i + 1);
      }
    }
    metadata.refcountCache().markDirty(slice);
  }

  private long refcount(Slice slice, long cluster) {
    return metadata.refcountWidth().get(slice.buffer(), indexInSlice(cluster));
  }

  private CorruptImageException belowZero(long cluster, long refcount) {
    return new CorruptImageException(
        "refcount of the cluster",
        cluster << metadata.geometry().clusterBits(),
        "is " + refcount + ", the cluster is in use");
  }
}
