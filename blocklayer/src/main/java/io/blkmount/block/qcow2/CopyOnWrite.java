// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.bytes.Alignment;
import io.blkmount.block.bytes.BouncePool;
import io.blkmount.block.bytes.Zeroes;
import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * Fills new host clusters: the guest's bytes, and around them the edges, which are what the
 * clusters held before. Stands for QEMU's {@code perform_cow()}.
 */
final class CopyOnWrite {
  /** Up to here edges and data are put together and written at once; beyond, copying costs more. */
  private static final int MAX_MERGED = 256 << 10;

  /** Up to here data that will be replaced is read along with the edges on both sides of it. */
  private static final int MAX_READ_THROUGH = 16 << 10;

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
   * every byte of the clusters, or subclusters, that were touched is the guest's own.
   *
   * @param before what the clusters held; starts at the guest offset that is written, and may end
   *     before the data if nothing has to be filled up there
   * @param taken where to; its first cluster holds the guest offset
   * @param source moved on by {@code length}
   */
  void write(ClusterRun before, ClusterAllocator.Allocated taken, ByteBuffer source, int length)
      throws IOException {
    long guestOffset = before.guestOffset();
    long hostOffset = taken.hostOffset() + geometry.offsetInCluster(guestOffset);
    int head = headLength(before);
    int tail = tailLength(before, length);
    boolean edgesAreZero = taken.readsZero() && content.readsZero(before, guestOffset - head);
    if (head + tail == 0 || edgesAreZero) {
      writeData(guestOffset, hostOffset, source, length);
    } else if (head + length + tail <= MAX_MERGED) {
      writeMerged(before, taken, source, length);
    } else {
      writeEdge(before, guestOffset - head, hostOffset - head, head);
      writeData(guestOffset, hostOffset, source, length);
      writeEdge(before, guestOffset + length, hostOffset + length, tail);
    }
  }

  /** Edges reach as far as what an entry can say of no less: a subcluster, unless compressed. */
  private int edgeUnit(ClusterRun before) {
    return before.kind() == L2Entry.Kind.COMPRESSED
        ? geometry.clusterSize()
        : geometry.subclusterSize();
  }

  /** Returns the length of the edge in front of the data. */
  private int headLength(ClusterRun before) {
    return before.isOverwritable() ? 0 : (int) (before.guestOffset() & (edgeUnit(before) - 1));
  }

  /** Returns the length of the edge behind it; an external data file never outgrows the disk. */
  private int tailLength(ClusterRun before, int length) {
    if (length > before.length()) {
      return 0;
    }
    long guestEnd = before.guestOffset() + length;
    long edgeEnd = Alignment.up(guestEnd, edgeUnit(before));
    if (metadata.data().isExternal()) {
      edgeEnd = Math.min(edgeEnd, metadata.length());
    }
    return (int) Math.max(0, edgeEnd - guestEnd);
  }

  /** Writes the first {@code length} bytes of {@code source} and moves it on. */
  void writeData(long guestOffset, long hostOffset, ByteBuffer source, int length)
      throws IOException {
    int limit = source.limit();
    source.limit(source.position() + length);
    try {
      metadata.data().write(guestOffset, hostOffset, source);
    } finally {
      source.limit(limit);
    }
  }

  private void writeMerged(
      ClusterRun before, ClusterAllocator.Allocated taken, ByteBuffer source, int length)
      throws IOException {
    long hostOffset = taken.hostOffset() + geometry.offsetInCluster(before.guestOffset());
    int head = headLength(before);
    int used = head + length;
    try (BouncePool.Bounce bounce = BouncePool.take(used + tailLength(before, length))) {
      ByteBuffer merged = bounce.buffer();
      readEdges(before, merged, head, used);
      merged.clear();
      if (taken.readsZero() && isZero(merged, 0, head) && isZero(merged, used, merged.limit())) {
        // what is there is right
        writeData(before.guestOffset(), hostOffset, source, length);
        return;
      }
      merged.put(head, source, source.position(), length);
      metadata.data().write(before.guestOffset() - head, hostOffset - head, merged);
    }
    source.position(source.position() + length);
  }

  /** Most edges that are not zeros show it at their ends; then no buffer is made to look closer. */
  private static boolean isZero(ByteBuffer bytes, int start, int end) {
    return start == end
        || bytes.get(start) == 0
            && bytes.get(end - 1) == 0
            && Zeroes.isZero(bytes.slice(start, end - start));
  }

  /** Reads what is around the data, and a short piece of data with it if that saves a request. */
  private void readEdges(ClusterRun before, ByteBuffer merged, int head, int used)
      throws IOException {
    long start = before.guestOffset() - head;
    int end = merged.limit();
    if (head > 0 && used < end && used - head <= MAX_READ_THROUGH) {
      readEdge(before, start, merged, 0, end);
    } else {
      readEdge(before, start, merged, 0, head);
      readEdge(before, start + used, merged, used, end - used);
    }
  }

  private void readEdge(ClusterRun before, long guestOffset, ByteBuffer merged, int at, int length)
      throws IOException {
    if (length > 0) {
      content.read(before, guestOffset, merged.limit(at + length).position(at));
    }
  }

  private void writeEdge(ClusterRun before, long guestOffset, long hostOffset, int length)
      throws IOException {
    if (length > 0) {
      try (BouncePool.Bounce bounce = BouncePool.take(length)) {
        content.read(before, guestOffset, bounce.buffer());
        metadata.data().write(guestOffset, hostOffset, bounce.buffer().flip());
      }
    }
  }

  /**
   * Copies subclusters of one host cluster to another one.
   *
   * @param subclusters a bit for each
   * @param guestOffset of the cluster
   */
  void copySubclusters(int subclusters, long guestOffset, long fromHostOffset, long toHostOffset)
      throws IOException {
    for (int rest = subclusters; rest != 0; ) {
      int first = Integer.numberOfTrailingZeros(rest);
      int count = Integer.numberOfTrailingZeros(~(rest >>> first));
      long offset = (long) first << geometry.subclusterBits();
      int length = count << geometry.subclusterBits();
      copy(guestOffset + offset, fromHostOffset + offset, toHostOffset + offset, length);
      rest &= ~SubclusterMap.bits(first, first + count);
    }
  }

  private void copy(long guestOffset, long fromHostOffset, long toHostOffset, int length)
      throws IOException {
    try (BouncePool.Bounce bounce = BouncePool.take(length)) {
      metadata.data().read(guestOffset, fromHostOffset, bounce.buffer());
      metadata.data().write(guestOffset, toHostOffset, bounce.buffer().flip());
    }
  }
}
