// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.bytes.ByteRange;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * Tables that may lie over each other, cut where one begins or ends, so that no byte is read twice
 * whoever made up the image: 65,536 snapshots may all claim the same L1 table of 32 MiB.
 *
 * <pre>
 * tables     |-------------|              pieces   | 1 |    2    | 1 |
 *                |-------------|
 * </pre>
 */
final class OverlappingRanges {
  private final List<ByteRange> ranges = new ArrayList<>();

  /** Takes one piece. */
  @FunctionalInterface
  interface PieceVisitor {
    /**
     * Takes a piece.
     *
     * @param start its first byte
     * @param end one past its last byte
     * @param weight how many ranges cover it, at least 1
     * @throws IOException if it cannot be read
     */
    void visit(long start, long end, long weight) throws IOException;
  }

  void add(long offset, long length) {
    ranges.add(new ByteRange(offset, length));
  }

  /**
   * Visits the pieces from the first to the last.
   *
   * @param unit to which the ranges are widened; a power of two
   */
  void forEachPiece(long unit, PieceVisitor visitor) throws IOException {
    long start = 0;
    long weight = 0;
    for (Map.Entry<Long, Long> change : changes(unit).entrySet()) {
      if (weight > 0) {
        visitor.visit(start, change.getKey(), weight);
      }
      start = change.getKey();
      weight += change.getValue();
    }
  }

  /** Returns where the number of ranges changes, and by how much. */
  private TreeMap<Long, Long> changes(long unit) {
    TreeMap<Long, Long> changes = new TreeMap<>();
    for (ByteRange range : ranges) {
      if (!range.isEmpty()) {
        ByteRange widened = range.alignedOut(unit);
        changes.merge(widened.offset(), 1L, Long::sum);
        changes.merge(widened.end(), -1L, Long::sum);
      }
    }
    return changes;
  }
}
