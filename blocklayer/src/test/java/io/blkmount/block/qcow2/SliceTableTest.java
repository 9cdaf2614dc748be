// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.HashMap;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

class SliceTableTest {
  private final SliceTable table = new SliceTable();

  @Test
  void aSecondSliceOfTheSameOffsetIsNotAdded() {
    Slice first = slice(4096);

    assertThat(table.add(first)).isTrue();
    assertThat(table.add(slice(4096))).isFalse();

    assertThat(table.find(4096)).isSameAs(first);
  }

  @Test
  void aSliceThatIsNotTheOneInThereIsNotRemoved() {
    Slice first = slice(4096);
    table.add(first);

    table.remove(slice(4096));
    assertThat(table.find(4096)).isSameAs(first);

    table.remove(first);
    assertThat(table.find(4096)).isNull();
  }

  @Test
  void behavesLikeAMap() {
    long seed = new SplittableRandom().nextLong();
    SplittableRandom random = new SplittableRandom(seed);
    Map<Long, Slice> model = new HashMap<>();
    for (int step = 0; step < 100_000; step++) {
      long offset = random.nextInt(1 + step / 50) * 4096L;
      Slice fresh = slice(offset);
      if (random.nextInt(2) == 0) {
        assertThat(table.add(fresh))
            .as("seed %d, step %d", seed, step)
            .isEqualTo(model.putIfAbsent(offset, fresh) == null);
      } else if (model.containsKey(offset)) {
        table.remove(model.remove(offset));
      }
      long asked = random.nextInt(1 + step / 50) * 4096L;
      assertThat(table.find(asked)).as("seed %d, step %d", seed, step).isSameAs(model.get(asked));
    }
  }

  /** All of them want one corner of the table, if it spreads by the usual multiplier alone. */
  @Test
  @Timeout(3)
  void offsetsThatSomebodyHasChosenAreFoundAsFastAsOthers() {
    int left = 60_000;
    for (long offset = 0; left > 0; offset += 512) {
      if (((int) (offset * 0x9e3779b97f4a7c15L >>> 32) & (1 << 17) - 1) < 600) {
        table.add(slice(offset));
        left--;
      }
    }

    assertThat(table.find(0)).isNotNull();
  }

  private static Slice slice(long offset) {
    return new Slice(offset, SliceMemory.Piece.NONE);
  }
}
