// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * Writes guest data, run by run: over the host clusters that are there, or into new ones that are
 * linked when data and edges have been written.
 */
final class ClusterWriter {
  private final Metadata metadata;
  private final ClusterGeometry geometry;
  private final ClusterLookup lookup;
  private final L2Tables l2Tables;
  private final DataClusters clusters;
  private final CopyOnWrite copyOnWrite;
  private final FreedClusters freed;
  private final MetadataWriteback writeback;
  private final AllocationTracker tracker = new AllocationTracker();

  ClusterWriter(
      Metadata metadata,
      ClusterLookup lookup,
      L2Tables l2Tables,
      DataClusters clusters,
      CopyOnWrite copyOnWrite,
      FreedClusters freed,
      MetadataWriteback writeback) {
    this.metadata = metadata;
    this.geometry = metadata.geometry();
    this.lookup = lookup;
    this.l2Tables = l2Tables;
    this.clusters = clusters;
    this.copyOnWrite = copyOnWrite;
    this.freed = freed;
    this.writeback = writeback;
  }

  /** Returns who is giving host clusters to which guest clusters. */
  AllocationTracker tracker() {
    return tracker;
  }

  /**
   * Writes all of {@code source}; stands for {@code qcow2_co_pwritev_part()}.
   *
   * @throws IOException if a part could not be written; parts before it may have been
   */
  void write(long guestOffset, ByteBuffer source) throws IOException {
    long at = guestOffset;
    while (source.hasRemaining()) {
      writeback.runIfDue();
      ClusterRun run = lookup.find(at, source.remaining());
      at += run.isOverwritable() ? overwrite(run, source) : allocate(run, source);
    }
  }

  private int overwrite(ClusterRun run, ByteBuffer source) throws IOException {
    int length = (int) run.length();
    clusters.requireWritable(run.hostOffset(), length);
    copyOnWrite.writeData(run.hostOffset(), source, length);
    return length;
  }

  /** Writes the start of a run into new host clusters; 0 if somebody else has just done that. */
  private int allocate(ClusterRun run, ByteBuffer source) throws IOException {
    long guestOffset = run.guestOffset();
    long end = Math.min(guestOffset + run.length(), geometry.sliceSpanEnd(guestOffset));
    long firstCluster = guestOffset >> geometry.clusterBits();
    int count = (int) geometry.clustersTouched(guestOffset, end - guestOffset);
    try (AllocationTracker.Reservation mine = tracker.reserve(firstCluster, count);
        Slice slice = l2Tables.pinForChange(guestOffset)) {
      long reservedEnd = (firstCluster + mine.clusterCount()) << geometry.clusterBits();
      long length = Math.min(end, reservedEnd) - guestOffset;
      ClusterRun now = lookup.runFrom(slice, guestOffset, length);
      return now.isOverwritable() ? 0 : place(slice, now, source);
    }
  }

  private int place(Slice slice, ClusterRun run, ByteBuffer source) throws IOException {
    int count = (int) geometry.clustersTouched(run.guestOffset(), run.length());
    ClusterAllocator.Allocated target;
    int length;
    if (run.kind() == L2Entry.Kind.ZERO_ALLOCATED && run.copied()) {
      clusters.requireWritable(run.hostOffset(), run.length());
      HostRun reserve = new HostRun(geometry.clusterStart(run.hostOffset()), count);
      target = new ClusterAllocator.Allocated(reserve, false);
      length = fill(run, target, source);
    } else {
      target = clusters.allocate(run.guestOffset(), count);
      length = fillOrGiveBack(run, target, source);
    }
    link(slice, geometry.indexInSlice(run.guestOffset()), target.run());
    return length;
  }

  private int fillOrGiveBack(ClusterRun run, ClusterAllocator.Allocated taken, ByteBuffer source)
      throws IOException {
    try {
      return fill(run, taken, source);
    } catch (IOException | RuntimeException | Error e) {
      try {
        clusters.giveBack(taken.run());
      } catch (IOException suppressed) {
        e.addSuppressed(suppressed);
      }
      throw e;
    }
  }

  /** Writes data and edges into clusters that nothing points to yet; returns how much data. */
  private int fill(ClusterRun run, ClusterAllocator.Allocated target, ByteBuffer source)
      throws IOException {
    int inCluster = geometry.offsetInCluster(run.guestOffset());
    long room = ((long) target.run().clusterCount() << geometry.clusterBits()) - inCluster;
    int length = (int) Math.min(run.length(), room);
    copyOnWrite.write(run, target, source, length);
    return length;
  }

  /** Points the entries at the new clusters; cannot fail, so that nothing is half linked. */
  private void link(Slice slice, int firstIndex, HostRun run) {
    metadata.lock().lock();
    try {
      for (int i = 0; i < run.clusterCount(); i++) {
        long hostOffset = run.hostOffset() + ((long) i << geometry.clusterBits());
        long before = slice.entry(firstIndex + i);
        slice.setEntry(firstIndex + i, L2Entry.normal(hostOffset));
        if (L2Entry.hostOffset(before) != hostOffset || isCompressed(before)) {
          freed.addOf(before);
        }
      }
      metadata.l2Cache().markDirty(slice);
    } finally {
      metadata.lock().unlock();
    }
  }

  private boolean isCompressed(long entry) {
    return metadata.kind(entry) == L2Entry.Kind.COMPRESSED;
  }
}
