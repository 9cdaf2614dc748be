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
      at += isOverwrite(run, source) ? overwrite(run, source) : allocate(run, source);
    }
  }

  /** Stored subclusters are written together with those around them that are not yet. */
  private boolean isOverwrite(ClusterRun run, ByteBuffer source) {
    long later = source.remaining() - run.length();
    return run.isOverwritable()
        && (later < geometry.subclusterSize()
            || geometry.isClusterAligned(run.guestOffset() + run.length()));
  }

  private int overwrite(ClusterRun run, ByteBuffer source) throws IOException {
    int length = (int) run.length();
    clusters.requireWritable(run.hostOffset(), length);
    copyOnWrite.writeData(run.guestOffset(), run.hostOffset(), source, length);
    return length;
  }

  /** Writes the start of a run into new host clusters, or where there are some by now. */
  private int allocate(ClusterRun run, ByteBuffer source) throws IOException {
    long guestOffset = run.guestOffset();
    boolean inPlace = run.hasHostCluster() && run.copied();
    long wanted = inPlace ? source.remaining() : run.length();
    long end = Math.min(guestOffset + wanted, geometry.sliceSpanEnd(guestOffset));
    long firstCluster = guestOffset >> geometry.clusterBits();
    int count = (int) geometry.clustersTouched(guestOffset, end - guestOffset);
    try (AllocationTracker.Reservation mine = tracker.reserve(firstCluster, count);
        Slice slice = l2Tables.pinForChange(guestOffset)) {
      long reservedEnd = (firstCluster + mine.clusterCount()) << geometry.clusterBits();
      long length = Math.min(end, reservedEnd) - guestOffset;
      ClusterRun now = metadata.l2Entries().refind(slice, run, length);
      return now.hasHostCluster() && now.copied()
          ? writeInPlace(slice, now, length, source)
          : place(slice, now, source);
    }
  }

  /** Writes into host clusters that are there, of which not everything need be stored yet. */
  private int writeInPlace(Slice slice, ClusterRun run, long maxLength, ByteBuffer source)
      throws IOException {
    int length = (int) metadata.l2Entries().placeLength(slice, run, maxLength);
    if (run.isOverwritable() && length == run.length()) {
      return overwrite(run, source);
    }
    clusters.requireWritable(run.hostOffset(), length);
    int count = (int) geometry.clustersTouched(run.guestOffset(), length);
    long hostOffset = geometry.clusterStart(run.hostOffset());
    copyOnWrite.write(
        run, new ClusterAllocator.Allocated(hostOffset, count, false), source, length);
    link(slice, run.guestOffset(), run.guestOffset() + length, hostOffset);
    return length;
  }

  private int place(Slice slice, ClusterRun run, ByteBuffer source) throws IOException {
    int count = (int) geometry.clustersTouched(run.guestOffset(), run.length());
    ClusterAllocator.Allocated target = clusters.allocate(run.guestOffset(), count);
    int length = fillOrGiveBack(slice, run, target, source);
    link(slice, run.guestOffset(), run.guestOffset() + length, target.hostOffset());
    return length;
  }

  private int fillOrGiveBack(
      Slice slice, ClusterRun run, ClusterAllocator.Allocated taken, ByteBuffer source)
      throws IOException {
    try {
      return fill(slice, run, taken, source);
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
  private int fill(
      Slice slice, ClusterRun run, ClusterAllocator.Allocated target, ByteBuffer source)
      throws IOException {
    int inCluster = geometry.offsetInCluster(run.guestOffset());
    long room = ((long) target.clusterCount() << geometry.clusterBits()) - inCluster;
    int length = (int) Math.min(run.length(), room);
    if (run.hasHostCluster() && geometry.hasSubclusters()) {
      copyRest(slice, run, target.hostOffset(), length);
    }
    copyOnWrite.write(run, target, source, length);
    return length;
  }

  /** Takes along what else the first and the last of shared clusters hold. */
  private void copyRest(Slice slice, ClusterRun run, long targetOffset, int length)
      throws IOException {
    long end = run.guestOffset() + length;
    long first = geometry.clusterStart(run.guestOffset());
    long last = geometry.clusterStart(end - 1);
    copyRestOf(first, slice, run, end, targetOffset);
    if (last > first) {
      copyRestOf(last, slice, run, end, targetOffset + (last - first));
    }
  }

  private void copyRestOf(
      long cluster, Slice slice, ClusterRun run, long guestEnd, long targetOffset)
      throws IOException {
    int rest = metadata.l2Entries().storedOutside(slice, cluster, run.guestOffset(), guestEnd);
    copyOnWrite.copySubclusters(rest, cluster, run.hostOffsetOf(cluster), targetOffset);
  }

  /** Points the entries at the clusters; cannot fail, so that nothing is half linked. */
  private void link(Slice slice, long start, long end, long firstHostOffset) {
    metadata.lock().lock();
    try {
      long hostOffset = firstHostOffset;
      for (long at = start, next; at < end; at = next) {
        next = Math.min(end, geometry.clusterEnd(at + 1));
        long before = metadata.l2Entries().link(slice, at, next, hostOffset);
        if (L2Entry.hostOffset(before) != hostOffset || isCompressed(before)) {
          freed.addOf(before);
        }
        hostOffset += geometry.clusterSize();
      }
      metadata.l2Cache().markDirty(slice);
    } finally {
      metadata.lock().unlock();
    }
  }

  private boolean isCompressed(long entry) {
    return L2Entry.isCompressed(entry);
  }
}
