// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.driver.WriteFlags;
import java.io.IOException;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Makes refcount blocks for clusters that none counts yet. Stands for QEMU's {@code
 * alloc_refcount_block()}.
 */
final class NewRefcountBlocks {
  private final Metadata metadata;
  private final Refcounts refcounts;
  private final RefcountTableGrowth tableGrowth;
  private final HostSpace space;

  /** The growth lock, held while a refcount block or table is made, and so over I/O. */
  private final ReentrantLock lock = new ReentrantLock();

  NewRefcountBlocks(
      Metadata metadata, Refcounts refcounts, RefcountTableGrowth tableGrowth, HostSpace space) {
    this.metadata = metadata;
    this.refcounts = refcounts;
    this.tableGrowth = tableGrowth;
    this.space = space;
  }

  ReentrantLock lock() {
    return lock;
  }

  /** Makes the block that counts {@code cluster}; the block lies in that cluster itself. */
  void addFor(long cluster) throws IOException {
    lock.lock();
    try {
      if (refcounts.blockOffset(cluster) == 0) {
        requireTableEntry(cluster);
      }
      if (refcounts.blockOffset(cluster) == 0) {
        place(cluster, cluster);
      }
    } finally {
      lock.unlock();
    }
  }

  /**
   * Makes the table long enough for the block that counts {@code cluster}; holds the growth lock.
   */
  void requireTableEntry(long cluster) throws IOException {
    tableGrowth.requireRoomFor(cluster / refcounts.perBlock(), space::noteUse);
  }

  /**
   * Writes the empty block that counts {@code cluster} into {@code place}, which it counts itself
   * or whose block exists; holds the growth lock.
   */
  void place(long cluster, long place) throws IOException {
    ClusterGeometry geometry = metadata.geometry();
    long hostOffset = place << geometry.clusterBits();
    space.requireRoom(place);
    metadata.guard().requireFree("new refcount block", hostOffset, geometry.clusterSize());
    metadata.file().writeZeroes(hostOffset, geometry.clusterSize(), WriteFlags.NONE);
    long inBlock =
        (place % refcounts.perBlock()) / refcounts.perSlice() * geometry.refcountSliceSize();
    try (Slice slice = metadata.refcountCache().pin(hostOffset + inBlock)) {
      metadata.lock().lock();
      try {
        if (cluster == place) {
          metadata.refcountWidth().set(slice.buffer(), refcounts.indexInSlice(place), 1);
        }
        metadata.refcountCache().markDirty(slice);
        metadata.guard().add(hostOffset, geometry.clusterSize(), OverlapGuard.Area.REFCOUNT_BLOCK);
        metadata.refcountTable().set(Math.toIntExact(cluster / refcounts.perBlock()), hostOffset);
        space.raiseHighWater(place + 1);
      } finally {
        metadata.lock().unlock();
      }
    }
  }
}
