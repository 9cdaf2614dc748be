// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.util.HexFormat;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

final class RefcountWidthTest {
  /** The first count is the largest that fits, the third is 1. */
  @ParameterizedTest(name = "{1} bits")
  @CsvSource({
    "0,1,05000000000000000000000000000000",
    "1,2,13000000000000000000000000000000",
    "2,4,0f010000000000000000000000000000",
    "3,8,ff000100000000000000000000000000",
    "4,16,ffff0000000100000000000000000000",
    "5,32,ffffffff000000000000000100000000",
    "6,64,7fffffffffffffff0000000000000000"
  })
  void countsHaveTheirPlaces(int order, int bits, String hex) {
    RefcountWidth width = new RefcountWidth(order);
    ByteBuffer block = ByteBuffer.allocate(24);

    width.set(block, 0, width.max());
    width.set(block, 2, 1);

    assertThat(width.bits()).isEqualTo(bits);
    assertThat(HexFormat.of().formatHex(block.array(), 0, 16)).isEqualTo(hex);
    assertThat(width.get(block, 0)).isEqualTo(width.max());
    assertThat(width.get(block, 1)).isZero();
    assertThat(width.get(block, 2)).isEqualTo(1);
  }

  @ParameterizedTest(name = "order {0}")
  @ValueSource(ints = {0, 1, 2, 3, 4, 5, 6})
  void settingOneCountChangesNoOther(int order) {
    RefcountWidth width = new RefcountWidth(order);
    ByteBuffer block = ByteBuffer.allocate(512);
    long[] model = new long[width.perBytes(512)];
    Random random = new Random(order);
    for (int i = 0; i < 20_000; i++) {
      int index = random.nextInt(model.length);
      model[index] = random.nextLong() & width.max();
      width.set(block, index, model[index]);
    }

    for (int index = 0; index < model.length; index++) {
      assertThat(width.get(block, index))
          .as("seed %d, index %d", order, index)
          .isEqualTo(model[index]);
    }
  }
}
