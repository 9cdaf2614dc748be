// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.graph;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.blkmount.block.driver.Extent;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

final class ChainExtentsTest {
  private static BlockNode chain(BlockNode... layers) {
    for (int i = layers.length - 1; i > 0; i--) {
      layers[i - 1].attachBacking(layers[i]);
    }
    return layers[0];
  }

  private static List<Extent> all(BlockNode top) throws IOException {
    List<Extent> all = new ArrayList<>();
    long length = top.pipeline().length();
    for (long offset = 0; offset < length; offset = all.get(all.size() - 1).end()) {
      all.add(ChainExtents.below(top).extentAt(offset, length - offset));
    }
    return all;
  }

  @Test
  void firstLayerThatHoldsABytesDecides() throws IOException {
    BlockNode top =
        chain(
            LayerInstance.node("top", 400, Extent.data(0, 100, 5000), Extent.unallocated(100, 300)),
            LayerInstance.node(
                "mid",
                400,
                Extent.unallocated(0, 200),
                Extent.zero(200, 100),
                Extent.unallocated(300, 100)),
            LayerInstance.node("base", 400, Extent.data(0, 350, 0), Extent.unallocated(350, 50)));

    assertThat(all(top))
        .containsExactly(
            Extent.data(0, 100, 5000),
            Extent.data(100, 100, 100).deeper(2),
            Extent.zero(200, 100).deeper(1),
            Extent.data(300, 50, 300).deeper(2),
            Extent.unallocated(350, 50).deeper(2));
  }

  @Test
  void shorterBackingFileReadsAsZeroPastItsEndWhateverLiesBelowIt() throws IOException {
    BlockNode top =
        chain(
            LayerInstance.node("top", 400, Extent.unallocated(0, 400)),
            LayerInstance.node("mid", 150, Extent.unallocated(0, 150)),
            LayerInstance.node("base", 400, Extent.data(0, 400, 0)));

    assertThat(all(top))
        .containsExactly(Extent.data(0, 150, 0).deeper(2), Extent.zero(150, 250).deeper(1));
  }

  @Test
  void neighboursAreJoinedWhereOneRunGoesOn() throws IOException {
    BlockNode top =
        LayerInstance.node(
            "top",
            600,
            Extent.data(0, 100, 1000),
            Extent.data(100, 100, 1100),
            Extent.data(200, 100, 1300),
            Extent.zero(300, 100),
            Extent.zero(400, 100),
            Extent.unallocated(500, 100));

    assertThat(all(top))
        .containsExactly(
            Extent.data(0, 200, 1000),
            Extent.data(200, 100, 1300),
            Extent.zero(300, 200),
            Extent.unallocated(500, 100));
  }

  @Test
  void answerIsNeverLongerThanWasAskedOrThanTheDisk() throws IOException {
    BlockNode top = LayerInstance.node("top", 400, Extent.data(0, 400, 0));

    assertThat(ChainExtents.below(top).extentAt(10, 7)).isEqualTo(Extent.data(10, 7, 10));
    assertThat(ChainExtents.below(top).extentAt(390, Long.MAX_VALUE))
        .isEqualTo(Extent.data(390, 10, 390));
    assertThatThrownBy(() -> ChainExtents.below(top).extentAt(400, 1))
        .hasMessage("block status beyond end of disk: offset=400 length=400");
  }
}
