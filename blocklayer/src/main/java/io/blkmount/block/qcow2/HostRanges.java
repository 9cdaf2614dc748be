// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.bytes.ByteRange;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;

/** Ranges of host bytes that do not change, in 16 bytes each however long they are. */
final class HostRanges {
  static final HostRanges NONE = of(List.of());

  /** Ascending; no range touches the next one. */
  private final long[] starts;

  private final long[] ends;

  private HostRanges(long[] starts, long[] ends) {
    this.starts = starts;
    this.ends = ends;
  }

  /** Returns the bytes of all ranges, which may overlap. */
  static HostRanges of(List<ByteRange> ranges) {
    List<ByteRange> sorted =
        ranges.stream()
            .filter(range -> !range.isEmpty())
            .sorted(Comparator.comparingLong(ByteRange::offset))
            .toList();
    long[] starts = new long[sorted.size()];
    long[] ends = new long[sorted.size()];
    int count = 0;
    for (ByteRange range : sorted) {
      if (count > 0 && range.offset() <= ends[count - 1]) {
        ends[count - 1] = Math.max(ends[count - 1], range.end());
      } else {
        starts[count] = range.offset();
        ends[count++] = range.end();
      }
    }
    return new HostRanges(Arrays.copyOf(starts, count), Arrays.copyOf(ends, count));
  }

  /** Returns whether one of {@code length} bytes from {@code offset} on, at least 1, is in here. */
  boolean overlaps(long offset, long length) {
    if (starts.length == 0) {
      return false;
    }
    int found = Arrays.binarySearch(starts, offset + length - 1);
    int last = found >= 0 ? found : -found - 2;
    return last >= 0 && ends[last] > offset;
  }
}
