// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.bytes.Alignment;
import io.blkmount.block.bytes.BouncePool;
import io.blkmount.block.bytes.Zeroes;
import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * Gives host clusters to a range without changing a byte of it: zeros get a cluster in reserve,
 * what a backing file or a compressed cluster holds is written out.
 */
final class SpaceReservation {
  /** The smallest write that reads nothing first, and the unit of encryption. */
  private static final int SECTOR = 512;

  private final Metadata metadata;
  private final ClusterGeometry geometry;
  private final ClusterLookup lookup;
  private final ClusterContent content;
  private final ClusterWriter writer;
  private final DataClusters clusters;
  private final L2Tables l2Tables;
  private final FreedClusters freed;
  private final MetadataWriteback writeback;

  SpaceReservation(
      Metadata metadata,
      ClusterLookup lookup,
      ClusterContent content,
      ClusterWriter writer,
      DataClusters clusters,
      L2Tables l2Tables,
      FreedClusters freed,
      MetadataWriteback writeback) {
    this.metadata = metadata;
    this.geometry = metadata.geometry();
    this.lookup = lookup;
    this.content = content;
    this.writer = writer;
    this.clusters = clusters;
    this.l2Tables = l2Tables;
    this.freed = freed;
    this.writeback = writeback;
  }

  /**
   * Makes sure that writes to a range need no new space; the caller's request is serialising.
   *
   * @param guestOffset any alignment
   * @param guestEnd one past the last byte
   * @throws IOException with {@code NO_SPACE} if there is not enough; every byte reads as before
   */
  void reserve(long guestOffset, long guestEnd) throws IOException {
    long end = Alignment.up(guestEnd, SECTOR); // what is encrypted is rewritten in whole sectors
    for (long at = geometry.clusterStart(guestOffset); at < end; ) {
      writeback.runIfDue();
      ClusterRun run = lookup.find(at, Math.min(end, geometry.sliceSpanEnd(at)) - at);
      at += reserveRun(run);
    }
  }

  private long reserveRun(ClusterRun run) throws IOException {
    if (run.copied() && run.hasHostCluster()) {
      long end = geometry.clusterEnd(run.guestOffset() + run.length());
      reserveInFile(run.hostOffset(), end - run.guestOffset());
      return run.length();
    }
    return canWait(run) ? reserveUnstored(run) : rewriteCluster(run);
  }

  /** Returns whether an entry can have a cluster in reserve and say the same as before. */
  private boolean canWait(ClusterRun run) throws IOException {
    return geometry.hasSubclusters()
        ? !run.hasHostCluster() && run.kind() != L2Entry.Kind.COMPRESSED
        : metadata.isVersion3() && content.readsZero(run, run.guestOffset());
  }

  /**
   * Host space is a promise that some file systems cannot give; the cluster alone must do then. The
   * last cluster of the file may be cut off: there is nothing to reserve past the end.
   */
  private void reserveInFile(long hostOffset, long length) throws IOException {
    long inside = Math.min(length, endOfData() - hostOffset);
    if (inside <= 0) {
      return;
    }
    try {
      metadata.data().file().reserve(hostOffset, inside);
    } catch (BlockException e) {
      if (e.error() != BlockError.NOT_SUPPORTED) {
        throw e;
      }
    }
  }

  /** A data file may be shorter than the disk, whose end is that of the space it can need. */
  private long endOfData() throws IOException {
    return metadata.data().isExternal() ? metadata.length() : metadata.file().length();
  }

  /** Makes the file long enough, and reserves: QEMU calls clusters past its end corrupt. */
  private void reserveInFile(ClusterAllocator.Allocated allocated) throws IOException {
    long hostOffset = allocated.run().hostOffset();
    long length = (long) allocated.run().clusterCount() << geometry.clusterBits();
    if (!metadata.data().isExternal() && hostOffset + length > metadata.file().length()) {
      long lastSector = hostOffset + length - SECTOR;
      metadata.file().write(lastSector, Zeroes.buffer(SECTOR), WriteFlags.NONE);
    }
    reserveInFile(hostOffset, length);
  }

  private long reserveUnstored(ClusterRun run) throws IOException {
    try (Slice slice = l2Tables.pinForChange(run.guestOffset())) {
      int count = (int) geometry.clustersTouched(run.guestOffset(), run.length());
      ClusterAllocator.Allocated allocated = clusters.allocate(run.guestOffset(), count);
      HostRun taken = allocated.run();
      boolean reserved = false;
      try {
        reserveInFile(allocated);
        reserved = true;
      } finally {
        if (!reserved) {
          clusters.giveBack(taken);
        }
      }
      link(slice, run.guestOffset(), taken);
      return Math.min(run.length(), (long) taken.clusterCount() << geometry.clusterBits());
    }
  }

  private void link(Slice slice, long guestOffset, HostRun taken) {
    metadata.lock().lock();
    try {
      for (int i = 0; i < taken.clusterCount(); i++) {
        long step = (long) i << geometry.clusterBits();
        long before =
            metadata.l2Entries().reserve(slice, guestOffset + step, taken.hostOffset() + step);
        freed.addOf(before); // a reserve that a snapshot shares is none
      }
      metadata.l2Cache().markDirty(slice);
    } finally {
      metadata.lock().unlock();
    }
  }

  /** Writes what a run has of one cluster as it reads now into a host cluster of its own. */
  private long rewriteCluster(ClusterRun run) throws IOException {
    long end = Math.min(geometry.clusterEnd(run.guestOffset() + 1), metadata.length());
    int length = (int) Math.min(run.length(), end - run.guestOffset());
    try (BouncePool.Bounce bounce = BouncePool.take(length)) {
      ByteBuffer bytes = bounce.buffer();
      content.read(run, run.guestOffset(), bytes);
      writer.write(run.guestOffset(), bytes.flip());
    }
    return Math.min(run.length(), geometry.clusterSize());
  }
}
