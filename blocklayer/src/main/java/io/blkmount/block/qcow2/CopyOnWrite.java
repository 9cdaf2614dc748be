// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.bytes.BouncePool;
import io.blkmount.block.driver.WriteFlags;
import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * Fills new host clusters: the guest's bytes, and around them the edges, which are what the
 * clusters held before. Stands for QEMU's {@code perform_cow()}.
 */
final class CopyOnWrite {
  /** Up to here edges and data are put together and written at once; beyond, copying costs more. */
  private static final int MAX_MERGED = 256 << 10;

  private final Metadata metadata;
  private final ClusterGeometry geometry;
  private final ClusterContent content;

  CopyOnWrite(Metadata metadata, ClusterContent content) {
    this.metadata = metadata;
    this.geometry = metadata.geometry();
    this.content = content;
  }

  /**
   * Writes the first {@code length} bytes of {@code source} and the edges around them, so that
   * every byte of the clusters that were touched is the guest's own.
   *
   * @param before what the clusters held; starts at the guest offset that is written
   * @param taken where to; its first cluster holds the guest offset
   * @param source moved on by {@code length}
   */
  void write(ClusterRun before, ClusterAllocator.Allocated taken, ByteBuffer source, int length)
      throws IOException {
    long guestOffset = before.guestOffset();
    long hostOffset = taken.run().hostOffset();
    int head = geometry.offsetInCluster(guestOffset);
    int used = head + length;
    int tail = (int) (geometry.clusterEnd(used) - used);
    boolean edgesAreZero =
        taken.readsZero() && content.readsZero(before, geometry.clusterStart(guestOffset));
    if (head + tail == 0 || edgesAreZero) {
      writeData(hostOffset + head, source, length);
    } else if (used + tail <= MAX_MERGED) {
      writeMerged(before, hostOffset, source, length);
    } else {
      writeEdge(before, guestOffset - head, hostOffset, head);
      writeData(hostOffset + head, source, length);
      writeEdge(before, guestOffset + length, hostOffset + used, tail);
    }
  }

  /** Writes the first {@code length} bytes of {@code source} and moves it on. */
  void writeData(long hostOffset, ByteBuffer source, int length) throws IOException {
    ByteBuffer data = source.slice(source.position(), length);
    metadata.file().write(hostOffset, data, WriteFlags.NONE);
    source.position(source.position() + length);
  }

  private void writeMerged(ClusterRun before, long hostOffset, ByteBuffer source, int length)
      throws IOException {
    long guestOffset = before.guestOffset();
    int head = geometry.offsetInCluster(guestOffset);
    int total = (int) geometry.clusterEnd(head + length);
    try (BouncePool.Bounce bounce = BouncePool.take(total)) {
      ByteBuffer merged = bounce.buffer();
      readEdge(before, guestOffset - head, merged, 0, head);
      merged.put(head, source, source.position(), length);
      readEdge(before, guestOffset + length, merged, head + length, total - head - length);
      metadata.file().write(hostOffset, merged, WriteFlags.NONE);
    }
    source.position(source.position() + length);
  }

  private void readEdge(ClusterRun before, long guestOffset, ByteBuffer merged, int at, int length)
      throws IOException {
    if (length > 0) {
      content.read(before, guestOffset, merged.slice(at, length));
    }
  }

  private void writeEdge(ClusterRun before, long guestOffset, long hostOffset, int length)
      throws IOException {
    if (length > 0) {
      try (BouncePool.Bounce bounce = BouncePool.take(length)) {
        content.read(before, guestOffset, bounce.buffer());
        metadata.file().write(hostOffset, bounce.buffer().flip(), WriteFlags.NONE);
      }
    }
  }
}
