// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import java.io.IOException;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Finds room for compressed clusters, one close behind the other: a host cluster holds several, and
 * has a reference for each of them. Stands for QEMU's {@code qcow2_alloc_bytes()}.
 */
final class CompressedSpace {
  /** There is no room that an entry could name. */
  static final long NONE = CompressedTail.NONE;

  private final Metadata metadata;
  private final ClusterGeometry geometry;
  private final Refcounts refcounts;
  private final ClusterAllocator allocator;

  /** One at a time, so that they lie close together; held over the allocator's I/O. */
  private final ReentrantLock lock = new ReentrantLock();

  CompressedSpace(Metadata metadata, Refcounts refcounts, ClusterAllocator allocator) {
    this.metadata = metadata;
    this.geometry = metadata.geometry();
    this.refcounts = refcounts;
    this.allocator = allocator;
  }

  /**
   * Takes consecutive bytes and a reference to each host cluster that they touch.
   *
   * @param length less than a cluster
   * @return host offset of the first, any alignment; {@link #NONE} if it is further up than an
   *     entry of a compressed cluster can say
   * @throws IOException as for {@link ClusterAllocator#allocate}; nothing is taken then
   */
  long allocate(int length) throws IOException {
    lock.lock();
    try {
      long tail = tail();
      if (tail != NONE
          && tail + length <= geometry.clusterEnd(tail)
          && takeTail(tail, tail + length)) {
        return tail;
      }
      return allocateBehind(tail, length);
    } finally {
      lock.unlock();
    }
  }

  /** Gives back what no entry has ever pointed to, after a failure. */
  void giveBack(long hostOffset, int length) throws IOException {
    long first = hostOffset >> geometry.clusterBits();
    refcounts.adjust(first, geometry.clustersTouched(hostOffset, length), -1);
  }

  private long tail() {
    metadata.lock().lock();
    try {
      return metadata.compressedTail().hostOffset();
    } finally {
      metadata.lock().unlock();
    }
  }

  /**
   * Takes the start of the tail, which becomes what begins at {@code newTail}.
   *
   * @return false if its cluster has become free meanwhile, or can have no more references
   */
  private boolean takeTail(long tail, long newTail) throws IOException {
    long cluster = tail >> geometry.clusterBits();
    refcounts.requireBlock(cluster);
    try (Slice slice = refcounts.pin(cluster)) {
      metadata.lock().lock();
      try {
        boolean taken =
            metadata.compressedTail().hostOffset() == tail && addReference(slice, cluster);
        if (taken) {
          metadata.compressedTail().startAt(newTail);
        }
        return taken;
      } finally {
        metadata.lock().unlock();
      }
    }
  }

  private boolean addReference(Slice slice, long cluster) {
    int index = refcounts.indexInSlice(cluster);
    long before = metadata.refcountWidth().get(slice.buffer(), index);
    if (before <= 0 || before >= metadata.refcountWidth().max()) {
      return false;
    }
    metadata.refcountWidth().set(slice.buffer(), index, before + 1);
    metadata.refcountCache().markDirty(slice);
    return true;
  }

  /** Takes a new cluster, and the tail as well if the cluster lies behind it. */
  private long allocateBehind(long tail, int length) throws IOException {
    HostRun fresh = allocator.allocate(1).run();
    boolean used = false;
    try {
      long hostOffset = place(tail, fresh.hostOffset(), length);
      used = hostOffset != NONE;
      return hostOffset;
    } finally {
      if (!used) {
        allocator.giveBack(fresh);
      }
    }
  }

  private long place(long tail, long fresh, int length) throws IOException {
    if (fresh + geometry.clusterSize() > CompressedCluster.endOfSpace(geometry.clusterBits())) {
      return NONE;
    }
    if (reaches(tail, length, fresh) && takeTail(tail, tail + length)) {
      return tail;
    }
    metadata.lock().lock();
    try {
      metadata.compressedTail().startAt(fresh + length);
    } finally {
      metadata.lock().unlock();
    }
    return fresh;
  }

  /**
   * Returns whether what starts in the tail ends in {@code fresh}. What fits into the tail does
   * not, even if that has become possible since it was tried: {@code fresh} would be nobody's.
   */
  private boolean reaches(long tail, int length, long fresh) {
    return tail != NONE && geometry.clusterEnd(tail) == fresh && tail + length > fresh;
  }
}
