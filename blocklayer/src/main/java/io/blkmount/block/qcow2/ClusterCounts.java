// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import org.jspecify.annotations.Nullable;

/**
 * A counter and two marks for each host cluster of a file: 2 bytes for a cluster, in chunks that
 * come with their first use; a chunk in which a counter outgrows them takes 8.
 *
 * <pre>
 * narrow | 15 SINGLE | 14 OWNED | 13..0 count |      wide | 63 SINGLE | 62 OWNED | 61..0 count |
 * </pre>
 */
final class ClusterCounts {
  /** The refcount that the image has stored is 1. */
  static final long SINGLE = 1L << 63;

  /** Holds something that nothing else may ever share. */
  static final long OWNED = 1L << 62;

  private static final long COUNT = OWNED - 1;

  private static final int NARROW_MARKS_SHIFT = 48;
  private static final int NARROW_MARKS = 0xc000;
  private static final int NARROW_COUNT = 0x3fff;

  private static final int CHUNK_BITS = 12;
  private static final int CHUNK = 1 << CHUNK_BITS;

  private final long size;
  private final short[] @Nullable [] narrow;

  /** Where one is, it has taken the place of the narrow one. */
  private final long[] @Nullable [] wide;

  ClusterCounts(long size) {
    int chunks = Math.toIntExact((size + CHUNK - 1) >>> CHUNK_BITS);
    this.size = size;
    this.narrow = new short[chunks][];
    this.wide = new long[chunks][];
  }

  /** Returns one more than the highest cluster that can be counted. */
  long size() {
    return size;
  }

  long count(long cluster) {
    return word(cluster) & COUNT;
  }

  /** Returns whether a cluster has a mark; one past the end has none. */
  boolean has(long cluster, long mark) {
    return cluster < size && (word(cluster) & mark) != 0;
  }

  void add(long cluster, long weight) {
    set(cluster, word(cluster) + weight);
  }

  void mark(long cluster, long mark) {
    set(cluster, word(cluster) | mark);
  }

  /** Returns the first cluster from {@code from} on that has a count or a mark, else the size. */
  long nextUsed(long from) {
    long cluster = from;
    while (cluster < size && word(cluster) == 0) {
      int chunk = (int) (cluster >>> CHUNK_BITS);
      boolean isEmpty = narrow[chunk] == null && wide[chunk] == null;
      cluster = isEmpty ? (long) (chunk + 1) << CHUNK_BITS : cluster + 1;
    }
    return Math.min(cluster, size);
  }

  private long word(long cluster) {
    int chunk = (int) (cluster >>> CHUNK_BITS);
    int at = (int) cluster & (CHUNK - 1);
    long[] large = wide[chunk];
    if (large != null) {
      return large[at];
    }
    short[] small = narrow[chunk];
    return small == null ? 0 : widened(small[at]);
  }

  private static long widened(short word) {
    return ((long) (word & NARROW_MARKS) << NARROW_MARKS_SHIFT) | (word & NARROW_COUNT);
  }

  private void set(long cluster, long word) {
    int chunk = (int) (cluster >>> CHUNK_BITS);
    int at = (int) cluster & (CHUNK - 1);
    if (wide[chunk] == null && (word & COUNT) <= NARROW_COUNT) {
      narrow(chunk)[at] = (short) ((word >>> NARROW_MARKS_SHIFT) | (word & NARROW_COUNT));
    } else {
      wide(chunk)[at] = word;
    }
  }

  private short[] narrow(int chunk) {
    short[] words = narrow[chunk];
    if (words == null) {
      words = new short[CHUNK];
      narrow[chunk] = words;
    }
    return words;
  }

  private long[] wide(int chunk) {
    long[] words = wide[chunk];
    if (words == null) {
      words = new long[CHUNK];
      short[] old = narrow(chunk);
      for (int i = 0; i < CHUNK; i++) {
        words[i] = widened(old[i]);
      }
      wide[chunk] = words;
      narrow[chunk] = null;
    }
    return words;
  }
}
