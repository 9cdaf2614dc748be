// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

final class SubclusterMapTest {
  /** Every state bit by bit, as the format has it. */
  private static int slowState(long map, int index) {
    boolean stored = (map & 1L << index) != 0;
    boolean zero = (map & 1L << 32 + index) != 0;
    return stored ? SubclusterMap.STORED : zero ? SubclusterMap.ZERO : SubclusterMap.ABSENT;
  }

  private static int slowRunLength(long map, int index) {
    int end = index + 1;
    while (end < SubclusterMap.COUNT && slowState(map, end) == slowState(map, index)) {
      end++;
    }
    return end - index;
  }

  @Test
  void runsEndWhereTheStateChanges() {
    SplittableRandom random = new SplittableRandom(1);
    for (int i = 0; i < 2000; i++) {
      int stored = random.nextInt() & (i % 3 == 0 ? random.nextInt() : -1);
      int zero = ~stored & random.nextInt() & (i % 2 == 0 ? random.nextInt() : -1);
      long map = (long) zero << 32 | Integer.toUnsignedLong(stored);
      for (int index = 0; index < SubclusterMap.COUNT; index++) {
        assertThat(SubclusterMap.state(map, index)).isEqualTo(slowState(map, index));
        assertThat(SubclusterMap.runLength(map, index)).isEqualTo(slowRunLength(map, index));
      }
    }
  }

  @Test
  void uniformMapsAreOneRun() {
    for (long map : new long[] {0, SubclusterMap.ALL_STORED, SubclusterMap.ALL_ZERO}) {
      assertThat(SubclusterMap.runLength(map, 0)).isEqualTo(32);
      assertThat(SubclusterMap.runLength(map, 31)).isEqualTo(1);
    }
  }

  @Test
  void bitsAreThoseOfARange() {
    assertThat(SubclusterMap.bits(0, 32)).isEqualTo(-1);
    assertThat(SubclusterMap.bits(31, 32)).isEqualTo(Integer.MIN_VALUE);
    assertThat(SubclusterMap.bits(2, 5)).isEqualTo(0b11100);
    assertThat(SubclusterMap.bits(7, 7)).isZero();
  }

  @Test
  void storingAndZeroingExcludeEachOther() {
    long map = SubclusterMap.withZero(SubclusterMap.ALL_STORED, 0xf0);
    assertThat(map).isEqualTo(0x000000f0_ffffff0fL);
    assertThat(SubclusterMap.withStored(map, 0x30)).isEqualTo(0x000000c0_ffffff3fL);
    assertThat(SubclusterMap.isSound(map)).isTrue();
    assertThat(SubclusterMap.isSound(0x00000001_00000001L)).isFalse();
  }
}
