// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import java.io.IOException;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * Finds free host clusters and takes them, in ascending order so that writes in sequence lie in
 * sequence. Stands for QEMU's {@code alloc_clusters_noref()} and {@code alloc_refcount_block()}.
 */
final class ClusterAllocator {
  private final Metadata metadata;
  private final Refcounts refcounts;
  private final RefcountTableGrowth tableGrowth;

  /** How many clusters a device holds; no limit for a file. */
  private final long maxClusters;

  /** The metadata lock. */
  private final ReentrantLock lock;

  /** Held while a refcount block or table is made; the only lock here that is held over I/O. */
  private final ReentrantLock growthLock = new ReentrantLock();

  /** No cluster below is free. */
  @GuardedBy("lock")
  private long nextFree;

  /** Clusters that {@link #allocateContiguous} is about to take, skipped by everybody else. */
  @GuardedBy("lock")
  private long reservedFirst;

  @GuardedBy("lock")
  private long reservedEnd;

  /**
   * One past the highest cluster that was ever in use: above it a file was never written. On a
   * device, one past the highest that was taken since it was opened.
   */
  @GuardedBy("lock")
  private long highWater;

  ClusterAllocator(
      Metadata metadata, Refcounts refcounts, RefcountTableGrowth tableGrowth, long fileLength) {
    this.metadata = metadata;
    this.lock = metadata.lock();
    this.refcounts = refcounts;
    this.tableGrowth = tableGrowth;
    int bits = metadata.geometry().clusterBits();
    boolean growable = metadata.file().support().growable();
    this.maxClusters = growable ? Long.MAX_VALUE : fileLength >> bits;
    this.highWater = growable ? metadata.geometry().clusterEnd(fileLength) >> bits : 0;
  }

  /**
   * Takes at most {@code maxClusters} consecutive free clusters and sets their refcounts to 1.
   *
   * @return the run, and whether its bytes are known to be zeros already
   * @throws IOException with {@code NO_SPACE} if the image cannot grow; nothing is taken then
   */
  Allocated allocate(int maxClusters) throws IOException {
    while (true) {
      long candidate = nextCandidate();
      if (refcounts.blockOffset(candidate) == 0) {
        addRefcountBlock(candidate);
        continue;
      }
      Allocated found = allocateInSlice(candidate, maxClusters);
      if (found != null) {
        return found;
      }
    }
  }

  /**
   * What an allocation gave; one object, since each allocating write makes one.
   *
   * @param hostOffset where the first cluster begins
   * @param clusterCount how many, at least 1
   * @param readsZero whether the file reads as zeros there, because it was never that long
   */
  record Allocated(long hostOffset, int clusterCount, boolean readsZero) {
    HostRun run() {
      return new HostRun(hostOffset, clusterCount);
    }
  }

  private long nextCandidate() {
    lock.lock();
    try {
      nextFree = Math.min(nextFree, refcounts.takeLowestFreed());
      if (nextFree >= reservedFirst && nextFree < reservedEnd) {
        nextFree = reservedEnd;
      }
      return nextFree;
    } finally {
      lock.unlock();
    }
  }

  /** Takes free clusters of one slice of refcounts; null when there is none from there on. */
  private @Nullable Allocated allocateInSlice(long candidate, int maxClusters) throws IOException {
    refcounts.requireBlock(candidate);
    try (Slice slice = refcounts.pin(candidate)) {
      lock.lock();
      try {
        long end = candidate - candidate % refcounts.perSlice() + refcounts.perSlice();
        long first = Math.max(candidate, Math.min(nextFree, end));
        while (first < end && !isFree(slice, first)) {
          first++;
        }
        if (nextFree >= candidate && nextFree < first) {
          nextFree = first;
        }
        return first == end ? null : take(slice, first, Math.min(end, first + maxClusters));
      } finally {
        lock.unlock();
      }
    }
  }

  /** Fails with {@code NO_SPACE} if a device ends before a cluster. */
  void requireRoom(long cluster) throws BlockException {
    if (cluster >= maxClusters) {
      throw new BlockException(
          BlockError.NO_SPACE,
          metadata.file().name() + ": all " + maxClusters + " clusters are used");
    }
  }

  @GuardedBy("lock")
  private Allocated take(Slice slice, long first, long limit) throws BlockException {
    requireRoom(first);
    long end = first;
    while (end < Math.min(limit, maxClusters) && isFree(slice, end)) {
      end++;
    }
    int bits = metadata.geometry().clusterBits();
    metadata.guard().requireFree("free cluster", first << bits, (end - first) << bits);
    for (long cluster = first; cluster < end; cluster++) {
      metadata.refcountWidth().set(slice.buffer(), refcounts.indexInSlice(cluster), 1);
    }
    metadata.refcountCache().markDirty(slice);
    nextFree = nextFree >= first ? end : nextFree;
    boolean virgin = first >= highWater && metadata.file().support().newSpaceReadsZero();
    highWater = Math.max(highWater, end);
    return new Allocated(first << bits, (int) (end - first), virgin);
  }

  @GuardedBy("lock")
  private boolean isFree(Slice slice, long cluster) {
    return (cluster < reservedFirst || cluster >= reservedEnd)
        && metadata.refcountWidth().get(slice.buffer(), refcounts.indexInSlice(cluster)) == 0;
  }

  /**
   * Gives back clusters that no entry on disk or in memory has ever pointed to, after a failure.
   */
  void giveBack(HostRun run) throws IOException {
    long first = run.hostOffset() >> metadata.geometry().clusterBits();
    refcounts.adjust(first, run.clusterCount(), -1);
  }

  /** Makes the block that counts {@code cluster}; the block lies in that cluster itself. */
  private void addRefcountBlock(long cluster) throws IOException {
    growthLock.lock();
    try {
      if (refcounts.blockOffset(cluster) == 0) {
        tableGrowth.requireRoomFor(cluster / refcounts.perBlock(), this::raiseHighWater);
      }
      if (refcounts.blockOffset(cluster) == 0) {
        placeBlock(cluster, cluster);
      }
    } finally {
      growthLock.unlock();
    }
  }

  /** Writes an empty block into {@code place}, which it counts itself or whose block exists. */
  @GuardedBy("growthLock")
  private void placeBlock(long cluster, long place) throws IOException {
    ClusterGeometry geometry = metadata.geometry();
    long hostOffset = place << geometry.clusterBits();
    requireRoom(place);
    metadata.guard().requireFree("new refcount block", hostOffset, geometry.clusterSize());
    metadata.file().writeZeroes(hostOffset, geometry.clusterSize(), WriteFlags.NONE);
    long inBlock =
        (place % refcounts.perBlock()) / refcounts.perSlice() * geometry.refcountSliceSize();
    try (Slice slice = metadata.refcountCache().pin(hostOffset + inBlock)) {
      lock.lock();
      try {
        if (cluster == place) {
          metadata.refcountWidth().set(slice.buffer(), refcounts.indexInSlice(place), 1);
        }
        metadata.refcountCache().markDirty(slice);
        metadata.guard().add(hostOffset, geometry.clusterSize(), OverlapGuard.Area.REFCOUNT_BLOCK);
        metadata.refcountTable().set(Math.toIntExact(cluster / refcounts.perBlock()), hostOffset);
        highWater = Math.max(highWater, place + 1);
      } finally {
        lock.unlock();
      }
    }
  }

  /** Notes that clusters below {@code endCluster} are about to be written. */
  void raiseHighWater(long endCluster) {
    lock.lock();
    try {
      highWater = Math.max(highWater, endCluster);
    } finally {
      lock.unlock();
    }
  }

  /** Looks for free clusters from the start again: which are free has changed altogether. */
  void startOver() {
    lock.lock();
    try {
      nextFree = 0;
    } finally {
      lock.unlock();
    }
  }

  /**
   * Takes exactly {@code clusterCount} consecutive clusters above everything in use, for a table.
   *
   * @return host offset of the first
   * @throws IOException as for {@link #allocate}
   */
  long allocateContiguous(int clusterCount) throws IOException {
    growthLock.lock();
    try {
      while (true) {
        long first = reserveAtEnd(clusterCount);
        try {
          addMissingBlocks(first, clusterCount);
          if (areAllFree(first, clusterCount)) {
            refcounts.adjust(first, clusterCount, 1);
            return first << metadata.geometry().clusterBits();
          }
        } finally {
          endReservation(first);
        }
      }
    } finally {
      growthLock.unlock();
    }
  }

  /** Looks for refcounts above the end of the file, which a damaged image may have. */
  private boolean areAllFree(long first, int clusterCount) throws IOException {
    for (long cluster = first; cluster < first + clusterCount; cluster++) {
      if (refcounts.get(cluster) != 0) {
        return false; // the high-water mark is past it now: the next try is further up
      }
    }
    return true;
  }

  @GuardedBy("growthLock")
  private void addMissingBlocks(long first, int clusterCount) throws IOException {
    long end = first + clusterCount;
    for (long at = first; at < end; at = nextBlockStart(at)) {
      tableGrowth.requireRoomFor(at / refcounts.perBlock(), this::raiseHighWater);
      if (refcounts.blockOffset(at) == 0) {
        long place = allocate(1).hostOffset() >> metadata.geometry().clusterBits();
        if (refcounts.blockOffset(at) == 0) {
          placeBlock(at, place);
        } else { // the block came into being while its place was sought
          giveBack(new HostRun(place << metadata.geometry().clusterBits(), 1));
        }
      }
    }
  }

  private long nextBlockStart(long cluster) {
    return cluster - cluster % refcounts.perBlock() + refcounts.perBlock();
  }

  private long reserveAtEnd(int clusterCount) {
    lock.lock();
    try {
      reservedFirst = Math.max(highWater, nextFree);
      reservedEnd = reservedFirst + clusterCount;
      highWater = reservedEnd;
      return reservedFirst;
    } finally {
      lock.unlock();
    }
  }

  private void endReservation(long first) {
    lock.lock();
    try {
      reservedFirst = 0;
      reservedEnd = 0;
      nextFree = Math.min(nextFree, first);
    } finally {
      lock.unlock();
    }
  }
}
