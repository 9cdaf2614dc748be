// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.bytes.Zeroes;
import io.blkmount.block.driver.ChildOpener;
import io.blkmount.block.driver.Preallocation;
import io.blkmount.block.driver.WriteFlags;
import java.io.IOException;

/**
 * Gives a part of the disk that is stored nowhere its clusters, so that no later write needs a new
 * one. Stands for QEMU's {@code preallocate_co()}.
 *
 * <p>What reads as zeros is stored as zeros, so that no later write changes an entry either. Stored
 * zeros that nobody encrypted would read as anything, and zeros over a backing file would hide it:
 * there the clusters are in reserve, and the disk reads as before.
 */
final class Preallocator {
  private static final int SECTOR = 512;

  private final Metadata metadata;
  private final ClusterGeometry geometry;
  private final ClusterLookup lookup;
  private final DataClusters clusters;
  private final L2Tables l2Tables;
  private final FreedClusters freed;
  private final MetadataWriteback writeback;

  Preallocator(
      Metadata metadata,
      ClusterLookup lookup,
      DataClusters clusters,
      L2Tables l2Tables,
      FreedClusters freed,
      MetadataWriteback writeback) {
    this.metadata = metadata;
    this.geometry = metadata.geometry();
    this.lookup = lookup;
    this.clusters = clusters;
    this.l2Tables = l2Tables;
    this.freed = freed;
    this.writeback = writeback;
  }

  /**
   * Allocates the clusters of a range.
   *
   * @param guestOffset aligned to clusters
   * @param guestEnd aligned to clusters; what lies between nobody else uses
   * @param mode not OFF
   * @param inReserve whether the range may show a backing file, as only subclusters can with a
   *     cluster of their own; else it reads as zeros
   * @throws IOException with {@code NO_SPACE} if there is not enough; a part may have been
   *     allocated
   */
  void allocate(long guestOffset, long guestEnd, Preallocation mode, boolean inReserve)
      throws IOException {
    Goal goal = goal(mode, inReserve);
    for (long at = guestOffset; at < guestEnd; ) {
      writeback.runIfDue();
      ClusterRun run = lookup.find(at, Math.min(guestEnd, geometry.sliceSpanEnd(at)) - at);
      at += run.hasHostCluster() ? fillMapped(run, mode) : allocateStart(run, mode, goal);
    }
  }

  /** What becomes of new clusters. */
  private enum Goal {
    /** They are zeros, which the host may have made. */
    ZEROS,
    /** Zeros are written to them, encrypted if the disk is. */
    WRITTEN_ZEROS,
    /** Nothing shows what they hold. */
    RESERVE,
    /** Nothing shows the zeros that are written to them. */
    WRITTEN_RESERVE
  }

  /** Version 2 has no entry for an encrypted cluster in reserve. */
  private Goal goal(Preallocation mode, boolean inReserve) {
    boolean isFull = mode == Preallocation.FULL;
    if (inReserve) {
      return isFull ? Goal.WRITTEN_RESERVE : Goal.RESERVE;
    }
    if (isFull || metadata.data().isEncrypted() && !metadata.isVersion3()) {
      return Goal.WRITTEN_ZEROS;
    }
    return metadata.data().isEncrypted() ? Goal.RESERVE : Goal.ZEROS;
  }

  /** All clusters of a raw data file are mapped before; they have no space for that. */
  private long fillMapped(ClusterRun run, Preallocation mode) throws IOException {
    if (metadata.data().isRaw()) {
      long inside = Math.min(run.length(), endOfData() - run.hostOffset());
      if (mode == Preallocation.FULL) {
        writeZeros(run.guestOffset(), run.hostOffset(), inside);
      } else if (mode == Preallocation.FALLOC) {
        reserve(run.hostOffset(), run.length());
      }
    }
    return run.length();
  }

  private long allocateStart(ClusterRun run, Preallocation mode, Goal goal) throws IOException {
    long guestOffset = run.guestOffset();
    try (Slice slice = l2Tables.pinForChange(guestOffset)) {
      int count = (int) geometry.clustersTouched(guestOffset, run.length());
      ClusterAllocator.Allocated allocated = clusters.allocate(guestOffset, count);
      long length = (long) allocated.run().clusterCount() << geometry.clusterBits();
      boolean filled = false;
      try {
        fill(allocated, guestOffset, length, goal);
        if (mode == Preallocation.FALLOC) {
          reserve(allocated.run().hostOffset(), length);
        }
        filled = true;
      } finally {
        if (!filled) {
          clusters.giveBack(allocated.run());
        }
      }
      link(slice, guestOffset, allocated.run(), goal);
      return length;
    }
  }

  /** Makes host clusters hold what they are to, and the file as long as they reach. */
  private void fill(ClusterAllocator.Allocated allocated, long guestOffset, long length, Goal goal)
      throws IOException {
    long hostOffset = allocated.run().hostOffset();
    long inside = Math.min(length, endOfData() - hostOffset);
    ChildOpener.Child file = metadata.data().file();
    if (goal == Goal.WRITTEN_ZEROS || goal == Goal.WRITTEN_RESERVE) {
      writeZeros(guestOffset, hostOffset, inside);
    } else if (goal == Goal.ZEROS && !allocated.readsZero()) {
      file.writeZeroes(hostOffset, inside, WriteFlags.MAY_UNMAP);
    } else if (hostOffset + inside > file.length()) { // QEMU calls clusters past the end corrupt
      file.write(hostOffset + inside - SECTOR, Zeroes.buffer(SECTOR), WriteFlags.NONE);
    }
  }

  private void reserve(long hostOffset, long length) throws IOException {
    metadata.data().file().reserve(hostOffset, Math.min(length, endOfData() - hostOffset));
  }

  /** A data file ends where the disk does. */
  private long endOfData() throws IOException {
    return metadata.data().isExternal() ? metadata.data().file().length() : Long.MAX_VALUE;
  }

  private void writeZeros(long guestOffset, long hostOffset, long length) throws IOException {
    for (long done = 0; done < length; ) {
      int part = (int) Math.min(length - done, Zeroes.MAX_BUFFER);
      metadata.data().write(guestOffset + done, hostOffset + done, Zeroes.buffer(part));
      done += part;
    }
  }

  private void link(Slice slice, long guestOffset, HostRun taken, Goal goal) {
    boolean inReserve = goal == Goal.RESERVE || goal == Goal.WRITTEN_RESERVE;
    int clusterSize = geometry.clusterSize();
    metadata.lock().lock();
    try {
      for (int i = 0; i < taken.clusterCount(); i++) {
        long start = guestOffset + (long) i * clusterSize;
        long hostOffset = taken.hostOffset() + (long) i * clusterSize;
        freed.addOf(
            inReserve
                ? metadata.l2Entries().reserve(slice, start, hostOffset)
                : metadata.l2Entries().link(slice, start, start + clusterSize, hostOffset));
      }
      metadata.l2Cache().markDirty(slice);
    } finally {
      metadata.lock().unlock();
    }
  }
}
