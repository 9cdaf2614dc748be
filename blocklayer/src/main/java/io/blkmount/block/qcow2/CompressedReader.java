// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * Reads compressed clusters: whole ones straight into the target, parts of them by way of the
 * clusters that are kept; several at once on several threads.
 */
final class CompressedReader {
  /** Most clusters that are read together: a request of 1 MiB with clusters of 16 KiB. */
  private static final int MAX_CLUSTERS = 64;

  private final ClusterLookup lookup;
  private final ClusterGeometry geometry;
  private final CompressedFile file;
  private final DecompressedClusters kept;

  CompressedReader(Metadata metadata, ClusterLookup lookup) {
    this.lookup = lookup;
    this.geometry = metadata.geometry();
    this.file = metadata.compressedFile();
    this.kept = metadata.decompressed();
  }

  /**
   * Fills {@code target} as far as compressed clusters follow each other.
   *
   * @param first the run at the guest offset that is read, a compressed one
   * @return how many bytes were read; the position has moved by it
   */
  int read(ClusterRun first, ByteBuffer target) throws IOException {
    int length = (int) first.length();
    if (length == target.remaining()) {
      readPart(first.entry(), geometry.offsetInCluster(first.guestOffset()), target);
      return length;
    }
    long[] entries = new long[MAX_CLUSTERS];
    entries[0] = first.entry();
    int count = 1;
    while (length < target.remaining() && count < MAX_CLUSTERS) {
      ClusterRun run = lookup.find(first.guestOffset() + length, target.remaining() - length);
      if (run.kind() != L2Entry.Kind.COMPRESSED) {
        break;
      }
      entries[count++] = run.entry();
      length += (int) run.length();
    }
    readTogether(entries, count, first.guestOffset(), target, length);
    return length;
  }

  private void readTogether(
      long[] entries, int count, long guestOffset, ByteBuffer target, int length)
      throws IOException {
    int head = geometry.offsetInCluster(guestOffset);
    int start = target.position();
    SharedWork.run(
        count,
        index -> {
          int from = index == 0 ? 0 : (index << geometry.clusterBits()) - head;
          int end = Math.min(length, ((index + 1) << geometry.clusterBits()) - head);
          readPart(entries[index], index == 0 ? head : 0, target.slice(start + from, end - from));
        });
    target.position(start + length);
  }

  /**
   * Fills {@code target} from one cluster.
   *
   * @param entry the L2 entry of a compressed cluster
   * @param offset in the cluster
   */
  void readPart(long entry, int offset, ByteBuffer target) throws IOException {
    boolean whole = target.remaining() == geometry.clusterSize() && target.isDirect();
    if (whole && !kept.holds(entry)) {
      file.readWhole(entry, target);
    } else {
      kept.read(entry, offset, target);
    }
  }
}
