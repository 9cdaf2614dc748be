// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.bytes.Zeroes;
import io.blkmount.block.driver.ChildOpener;
import io.blkmount.block.driver.Preallocation;
import io.blkmount.block.driver.WriteFlags;
import java.io.IOException;

/**
 * Gives a part of the disk that reads as zeros its clusters, so that no later write needs a new one
 * or changes an entry. Stands for QEMU's {@code preallocate_co()}.
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
   * @param guestEnd aligned to clusters; what lies between reads as zeros, and nobody else uses it
   * @param mode not OFF
   * @throws IOException with {@code NO_SPACE} if there is not enough; a part may have been
   *     allocated
   */
  void allocate(long guestOffset, long guestEnd, Preallocation mode) throws IOException {
    for (long at = guestOffset; at < guestEnd; ) {
      writeback.runIfDue();
      ClusterRun run = lookup.find(at, Math.min(guestEnd, geometry.sliceSpanEnd(at)) - at);
      at += run.hasHostCluster() ? run.length() : allocateStart(run, mode);
    }
  }

  private long allocateStart(ClusterRun run, Preallocation mode) throws IOException {
    long guestOffset = run.guestOffset();
    try (Slice slice = l2Tables.pinForChange(guestOffset)) {
      int count = (int) geometry.clustersTouched(guestOffset, run.length());
      ClusterAllocator.Allocated allocated = clusters.allocate(guestOffset, count);
      long length = (long) allocated.run().clusterCount() << geometry.clusterBits();
      boolean filled = false;
      try {
        fill(allocated, length, mode);
        filled = true;
      } finally {
        if (!filled) {
          clusters.giveBack(allocated.run());
        }
      }
      link(slice, guestOffset, allocated.run());
      return length;
    }
  }

  /** Makes host clusters read as zeros, and have the space that was asked for. */
  private void fill(ClusterAllocator.Allocated allocated, long length, Preallocation mode)
      throws IOException {
    long hostOffset = allocated.run().hostOffset();
    long inside = Math.min(length, endOfData() - hostOffset);
    ChildOpener.Child file = metadata.data().file();
    if (mode == Preallocation.FULL) {
      writeZeros(file, hostOffset, inside);
    } else if (!allocated.readsZero()) {
      file.writeZeroes(hostOffset, inside, WriteFlags.MAY_UNMAP);
    } else if (hostOffset + inside > file.length()) { // QEMU calls clusters past the end corrupt
      file.write(hostOffset + inside - SECTOR, Zeroes.buffer(SECTOR), WriteFlags.NONE);
    }
    if (mode == Preallocation.FALLOC) {
      file.reserve(hostOffset, inside);
    }
  }

  /** A data file ends where the disk does. */
  private long endOfData() throws IOException {
    return metadata.data().isExternal() ? metadata.data().file().length() : Long.MAX_VALUE;
  }

  private static void writeZeros(ChildOpener.Child file, long hostOffset, long length)
      throws IOException {
    for (long done = 0; done < length; ) {
      int part = (int) Math.min(length - done, Zeroes.MAX_BUFFER);
      file.write(hostOffset + done, Zeroes.buffer(part), WriteFlags.NONE);
      done += part;
    }
  }

  private void link(Slice slice, long guestOffset, HostRun taken) {
    int clusterSize = geometry.clusterSize();
    metadata.lock().lock();
    try {
      for (int i = 0; i < taken.clusterCount(); i++) {
        long start = guestOffset + (long) i * clusterSize;
        long hostOffset = taken.hostOffset() + (long) i * clusterSize;
        freed.addOf(metadata.l2Entries().link(slice, start, start + clusterSize, hostOffset));
      }
      metadata.l2Cache().markDirty(slice);
    } finally {
      metadata.lock().unlock();
    }
  }
}
