// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import io.blkmount.block.error.BlockException;
import java.io.IOException;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * Finds free host clusters and takes them, in ascending order so that writes in sequence lie in
 * sequence. Stands for QEMU's {@code alloc_clusters_noref()}.
 */
final class ClusterAllocator {
  private final Metadata metadata;
  private final Refcounts refcounts;
  private final HostSpace space;
  private final NewRefcountBlocks blocks;

  /** The metadata lock. */
  private final ReentrantLock lock;

  /** No cluster below is free. */
  @GuardedBy("lock")
  private long nextFree;

  /** Clusters that {@link #allocateContiguous} is about to take, skipped by everybody else. */
  @GuardedBy("lock")
  private long reservedFirst;

  @GuardedBy("lock")
  private long reservedEnd;

  ClusterAllocator(
      Metadata metadata, Refcounts refcounts, RefcountTableGrowth tableGrowth, long fileLength) {
    this.metadata = metadata;
    this.lock = metadata.lock();
    this.refcounts = refcounts;
    this.space = new HostSpace(metadata, fileLength);
    this.blocks = new NewRefcountBlocks(metadata, refcounts, tableGrowth, space);
  }

  /** Returns where the clusters come from. */
  HostSpace space() {
    return space;
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
        blocks.addFor(candidate);
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

  @GuardedBy("lock")
  private Allocated take(Slice slice, long first, long limit) throws BlockException {
    space.requireRoom(first);
    long stop = Math.min(limit, space.maxClusters());
    long end = first;
    while (end < stop && isFree(slice, end)) {
      end++;
    }
    int bits = metadata.geometry().clusterBits();
    metadata.guard().requireFree("free cluster", first << bits, (end - first) << bits);
    for (long cluster = first; cluster < end; cluster++) {
      metadata.refcountWidth().set(slice.buffer(), refcounts.indexInSlice(cluster), 1);
    }
    metadata.refcountCache().markDirty(slice);
    nextFree = nextFree >= first ? end : nextFree;
    boolean virgin = first >= space.highWater() && metadata.file().support().newSpaceReadsZero();
    space.raiseHighWater(end);
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
    blocks.lock().lock();
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
      blocks.lock().unlock();
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

  private void addMissingBlocks(long first, int clusterCount) throws IOException {
    long end = first + clusterCount;
    for (long at = first; at < end; at = nextBlockStart(at)) {
      blocks.requireTableEntry(at);
      if (refcounts.blockOffset(at) == 0) {
        addBlock(at);
      }
    }
  }

  /** Makes a block, unless it comes into being while its place is sought. */
  private void addBlock(long cluster) throws IOException {
    HostRun place = allocate(1).run();
    boolean used = false;
    try {
      if (refcounts.blockOffset(cluster) == 0) {
        blocks.place(cluster, place.hostOffset() >> metadata.geometry().clusterBits());
        used = true;
      }
    } finally {
      if (!used) {
        giveBack(place);
      }
    }
  }

  private long nextBlockStart(long cluster) {
    return cluster - cluster % refcounts.perBlock() + refcounts.perBlock();
  }

  private long reserveAtEnd(int clusterCount) {
    lock.lock();
    try {
      reservedFirst = Math.max(space.highWater(), nextFree);
      reservedEnd = reservedFirst + clusterCount;
      space.raiseHighWater(reservedEnd);
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
