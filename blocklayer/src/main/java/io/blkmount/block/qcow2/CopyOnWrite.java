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
    Place place = place(before, taken, length);
    boolean edgesAreZero =
        taken.readsZero() && content.readsZero(before, before.guestOffset() - place.head());
    if (place.head() + place.tail() == 0 || edgesAreZero) {
      writeData(before.guestOffset(), place.dataOffset(), source, length);
    } else if (place.head() + length + place.tail() <= MAX_MERGED) {
      writeMerged(before, place, source, length, taken.readsZero());
    } else {
      writeEdge(before, before.guestOffset() - place.head(), place.hostOffset(), place.head());
      writeData(before.guestOffset(), place.dataOffset(), source, length);
      writeEdge(before, before.guestOffset() + length, place.dataOffset() + length, place.tail());
    }
  }

  /**
   * Where data and edges go.
   *
   * @param hostOffset of the first edge, or of the data if there is none
   * @param head bytes of the edge before the data
   * @param tail bytes of the edge after it
   */
  private record Place(long hostOffset, int head, int tail) {
    long dataOffset() {
      return hostOffset + head;
    }
  }

  /** Edges reach as far as what an entry can say of no less: a subcluster, unless compressed. */
  private Place place(ClusterRun before, ClusterAllocator.Allocated taken, int length) {
    boolean whole = before.kind() == L2Entry.Kind.COMPRESSED;
    int unit = whole ? geometry.clusterSize() : geometry.subclusterSize();
    long guestEnd = before.guestOffset() + length;
    int toUnit = (int) (Alignment.up(guestEnd, unit) - guestEnd);
    int head = before.isOverwritable() ? 0 : (int) (before.guestOffset() & (unit - 1));
    int tail = length > before.length() ? 0 : tailLength(guestEnd, toUnit);
    int inCluster = geometry.offsetInCluster(before.guestOffset());
    return new Place(taken.run().hostOffset() + inCluster - head, head, tail);
  }

  /** An external data file never becomes longer than the disk. */
  private int tailLength(long guestEnd, int inCluster) {
    if (!metadata.data().isExternal()) {
      return inCluster;
    }
    return (int) Math.max(0, Math.min(inCluster, metadata.length() - guestEnd));
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
      ClusterRun before, Place place, ByteBuffer source, int length, boolean readsZero)
      throws IOException {
    int head = place.head();
    int used = head + length;
    try (BouncePool.Bounce bounce = BouncePool.take(used + place.tail())) {
      ByteBuffer merged = bounce.buffer();
      readEdges(before, merged, head, used);
      merged.clear();
      if (readsZero && isZero(merged, 0, head) && isZero(merged, used, merged.limit())) {
        // what is there is right
        writeData(before.guestOffset(), place.dataOffset(), source, length);
        return;
      }
      merged.put(head, source, source.position(), length);
      metadata.data().write(before.guestOffset() - head, place.hostOffset(), merged);
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
