// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import java.io.IOException;
import java.util.BitSet;

/** Counts how many structures of an image refer to each cluster of its file. */
final class HostReferences {
  private static final long NO_MARK = 0;

  /** More than new refcounts take, unless the file is very large. */
  static final int LOOKED_AT_BEHIND = 1 << 16;

  /** As long as the longest L1 table; directories and key areas are shorter. */
  private static final long LONGEST_KEPT_FREE = 32L << 20;

  private final int clusterBits;
  private final long fileLength;
  private final CheckTally tally;
  private final ClusterCounts counts;

  /** Which clusters behind the file something refers to, as far as anybody might put something. */
  private final BitSet behind = new BitSet();

  HostReferences(CheckedImage image, CheckTally tally) {
    this.clusterBits = image.clusterBits();
    this.fileLength = image.fileLength();
    this.tally = tally;
    // What begins in the last cluster, off its boundary, may touch one more.
    this.counts = new ClusterCounts(image.clusterCount() + 1);
  }

  ClusterCounts counts() {
    return counts;
  }

  /**
   * Returns whether a range, unless it is empty, ends in the file's last cluster or before: a file
   * often ends inside its last cluster.
   *
   * @param offset in bytes, 0 to 2^61
   * @param length in bytes, 0 to 2^61
   */
  boolean isInFile(long offset, long length) {
    return length == 0 || offset + length - fileLength < 1L << clusterBits;
  }

  /**
   * Counts references to a range if it is in the file.
   *
   * @param weight how many references
   * @return whether it is
   */
  boolean add(long offset, long length, long weight) {
    boolean isInFile = isInFile(offset, length);
    if (isInFile) {
      count(offset, length, weight, NO_MARK);
    } else {
      noteBehind(offset >>> clusterBits, (offset + length - 1) >>> clusterBits);
    }
    return isInFile;
  }

  private void noteBehind(long firstCluster, long lastCluster) {
    long first = Math.max(0, firstCluster - clusterCount());
    long last = Math.min(lastCluster - clusterCount(), LOOKED_AT_BEHIND - 1);
    if (first <= last) {
      behind.set((int) first, (int) last + 1);
    }
  }

  private long clusterCount() {
    return counts.size() - 1;
  }

  /** Returns the first cluster from {@code from} on, behind the file, that is referred to. */
  long nextBehind(long from) {
    long index = from - clusterCount();
    int next = index >= LOOKED_AT_BEHIND ? -1 : behind.nextSetBit((int) Math.max(0, index));
    return next < 0 ? Long.MAX_VALUE : clusterCount() + next;
  }

  /** Counts one reference to a range that belongs to one structure alone, or reports it. */
  void own(String what, long offset, long length) {
    if (isInFile(offset, length)) {
      count(offset, length, 1, ClusterCounts.OWNED);
    } else {
      reportOutside(what, offset, length);
    }
  }

  /**
   * Reports a range that is not in the file, and keeps it free of what a repair makes, unless it is
   * so long that the file would become much longer for something that nobody has ever written.
   */
  void reportOutside(String what, long offset, long length) {
    if (length <= LONGEST_KEPT_FREE) {
      noteBehind(offset >>> clusterBits, (offset + length - 1) >>> clusterBits);
    }
    tally.corruption(
        1,
        () ->
            what
                + " at host offset "
                + HeaderRules.hex(offset)
                + ": its "
                + length
                + " bytes end past the end of the file, "
                + fileLength);
  }

  /** Counts the references to ranges of that kind, all of them in the file. */
  void own(OverlappingRanges ranges) throws IOException {
    ranges.forEachPiece(
        1L << clusterBits,
        (start, end, weight) -> count(start, end - start, weight, ClusterCounts.OWNED));
  }

  private void count(long offset, long length, long weight, long mark) {
    if (length > 0) {
      long last = (offset + length - 1) >>> clusterBits;
      for (long cluster = offset >>> clusterBits; cluster <= last; cluster++) {
        counts.add(cluster, weight);
        if (mark != NO_MARK) {
          counts.mark(cluster, mark);
        }
      }
    }
  }
}
