// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.bytes.BouncePool;
import io.blkmount.block.bytes.Zeroes;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Writes whole clusters compressed, several at once on several threads; those that do not become
 * shorter by it as they are. Stands for {@code qcow2_co_pwritev_compressed_part()}.
 */
final class CompressedWriter {
  /**
   * What was stored compressed and is replaced takes its space until metadata is written back. It
   * is, after so many bytes of disk, so that a disk that is rewritten does not fill the host.
   */
  private static final long MAX_REPLACED = 64 << 20;

  private final Metadata metadata;
  private final ClusterGeometry geometry;
  private final L2Tables l2Tables;
  private final CompressedSpace space;
  private final ClusterWriter writer;
  private final FreedClusters freed;
  private final MetadataWriteback writeback;
  private final AtomicLong replacedBytes = new AtomicLong();

  CompressedWriter(
      Metadata metadata,
      L2Tables l2Tables,
      CompressedSpace space,
      ClusterWriter writer,
      FreedClusters freed,
      MetadataWriteback writeback) {
    this.metadata = metadata;
    this.geometry = metadata.geometry();
    this.l2Tables = l2Tables;
    this.space = space;
    this.writer = writer;
    this.freed = freed;
    this.writeback = writeback;
  }

  /**
   * Writes all of {@code source}.
   *
   * @param guestOffset at the start of a cluster
   * @param source whole clusters; the last one may be shorter where the disk ends
   * @throws IOException if a cluster could not be written; others may have been
   */
  void write(long guestOffset, ByteBuffer source) throws IOException {
    int start = source.position();
    int length = source.remaining();
    int clusters = (int) geometry.clustersTouched(guestOffset, length);
    if (clusters == 1) {
      writeCluster(guestOffset, source.slice());
    } else {
      SharedWork.run(
          clusters,
          index -> {
            int from = index << geometry.clusterBits();
            int count = Math.min(geometry.clusterSize(), length - from);
            writeCluster(guestOffset + from, source.slice(start + from, count));
          });
    }
    source.position(source.limit());
  }

  private void writeCluster(long guestOffset, ByteBuffer cluster) throws IOException {
    writeBackIfDue();
    try (BouncePool.Bounce bounce = BouncePool.take(geometry.clusterSize())) {
      ByteBuffer compressed = bounce.buffer();
      if (!compress(cluster.duplicate(), compressed) || !store(guestOffset, compressed)) {
        writer.write(guestOffset, cluster);
      }
    }
  }

  private void writeBackIfDue() throws IOException {
    long replaced = replacedBytes.get();
    if (replaced > MAX_REPLACED && replacedBytes.compareAndSet(replaced, 0)) {
      writeback.writeDirty();
    } else {
      writeback.runIfDue();
    }
  }

  /** Pads the disk's last cluster with zeros; a buffer on the heap is copied, too. */
  private boolean compress(ByteBuffer cluster, ByteBuffer target) {
    if (cluster.remaining() == geometry.clusterSize() && cluster.isDirect()) {
      return metadata.compressedFile().compress(cluster, target);
    }
    try (BouncePool.Bounce bounce = BouncePool.take(geometry.clusterSize())) {
      ByteBuffer whole = bounce.buffer().put(cluster);
      Zeroes.fill(whole);
      return metadata.compressedFile().compress(whole.flip(), target);
    }
  }

  /** Writes compressed bytes and points the entry to them; false if no entry can. */
  private boolean store(long guestOffset, ByteBuffer compressed) throws IOException {
    long guestCluster = guestOffset >> geometry.clusterBits();
    try (AllocationTracker.Reservation mine = writer.tracker().reserve(guestCluster, 1);
        Slice slice = l2Tables.pinForChange(guestOffset)) {
      ClusterRun before =
          metadata.l2Entries().find(slice, guestOffset, 1); // nothing unsound is dropped
      int length = compressed.remaining();
      long hostOffset = space.allocate(length);
      if (hostOffset == CompressedSpace.NONE) {
        return false;
      }
      writeOrGiveBack(hostOffset, compressed);
      link(slice, guestOffset, new CompressedCluster(hostOffset, length));
      if (before.kind() == L2Entry.Kind.COMPRESSED) {
        replacedBytes.addAndGet(geometry.clusterSize());
      }
      return true;
    }
  }

  private void writeOrGiveBack(long hostOffset, ByteBuffer compressed) throws IOException {
    int length = compressed.remaining();
    try {
      metadata.compressedFile().write(hostOffset, compressed);
    } catch (IOException | RuntimeException | Error e) {
      try {
        space.giveBack(hostOffset, length);
      } catch (IOException suppressed) {
        e.addSuppressed(suppressed);
      }
      throw e;
    }
  }

  private void link(Slice slice, long guestOffset, CompressedCluster stored) {
    long entry = stored.encode(geometry.clusterBits());
    metadata.lock().lock();
    try {
      freed.addOf(metadata.l2Entries().linkCompressed(slice, guestOffset, entry));
      metadata.l2Cache().markDirty(slice);
    } finally {
      metadata.lock().unlock();
    }
  }
}
