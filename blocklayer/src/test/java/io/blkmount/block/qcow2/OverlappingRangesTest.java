// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

final class OverlappingRangesTest {
  private static List<String> pieces(OverlappingRanges ranges, long unit) throws IOException {
    List<String> pieces = new ArrayList<>();
    ranges.forEachPiece(
        unit, (start, end, weight) -> pieces.add(start + "-" + end + " x" + weight));
    return pieces;
  }

  @Test
  void cutsWhereARangeBeginsOrEnds() throws IOException {
    OverlappingRanges ranges = new OverlappingRanges();
    ranges.add(1000, 64);
    ranges.add(80, 40);
    ranges.add(0, 96);
    ranges.add(80, 16);

    assertThat(pieces(ranges, 8))
        .containsExactly("0-80 x1", "80-96 x3", "96-120 x1", "1000-1064 x1");
  }

  @Test
  void widensToTheUnit() throws IOException {
    OverlappingRanges ranges = new OverlappingRanges();
    ranges.add(512, 8);
    ranges.add(0, 520);

    assertThat(pieces(ranges, 512)).containsExactly("0-512 x1", "512-1024 x2");
  }

  @Test
  void emptyRangesAreNoPieces() throws IOException {
    OverlappingRanges ranges = new OverlappingRanges();
    ranges.add(512, 0);

    assertThat(pieces(ranges, 512)).isEmpty();
  }
}
