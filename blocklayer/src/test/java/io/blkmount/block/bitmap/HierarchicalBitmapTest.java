// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.bitmap;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.BitSet;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class HierarchicalBitmapTest {
  @ParameterizedTest
  @ValueSource(ints = {1, 63, 64, 65, 32768, 32769, 100_000, 1 << 24, (1 << 24) + 5})
  void behavesAsAPlainSetOfBits(int size) {
    for (long seed = 1; seed <= 3; seed++) {
      new Model(size, seed).run(2000);
    }
  }

  /** The bitmap beside a plain one. */
  private static final class Model {
    private final String name;
    private final SplittableRandom random;
    private final HierarchicalBitmap bitmap;
    private final BitSet plain = new BitSet();
    private int size;

    Model(int size, long seed) {
      this.name = "size " + size + " seed " + seed;
      this.size = size;
      this.random = new SplittableRandom(seed);
      this.bitmap = new HierarchicalBitmap(size);
    }

    void run(int steps) {
      for (int i = 0; i < steps; i++) {
        step();
        compare();
      }
      assertThat(bitmap.count()).as(name).isEqualTo(plain.cardinality());
    }

    private void step() {
      int from = random.nextInt(size);
      int to = Math.min(size, from + 1 + random.nextInt(1 + random.nextInt(size)));
      int kind = random.nextInt(100);
      if (kind < 45) {
        boolean isNew = plain.get(from, to).cardinality() < to - from;
        assertThat(bitmap.set(from, to + (to == size ? 7 : 0))).as(name).isEqualTo(isNew);
        plain.set(from, to);
      } else if (kind < 80) {
        assertThat(bitmap.clear(from, to)).as(name).isEqualTo(!plain.get(from, to).isEmpty());
        plain.clear(from, to);
      } else if (kind < 98) {
        long bits = random.nextLong();
        addWord(from / 64, bits & bits >>> 1);
      } else {
        resize(1 + random.nextInt(size * 2));
      }
    }

    private void addWord(int index, long bits) {
      bitmap.addWord(index, bits);
      for (int i = 0; i < 64 && index * 64 + i < size; i++) {
        if ((bits >>> i & 1) != 0) {
          plain.set(index * 64 + i);
        }
      }
    }

    private void resize(int newSize) {
      bitmap.resize(newSize);
      plain.clear(newSize, Math.max(newSize, size));
      size = newSize;
    }

    private void compare() {
      int at = random.nextInt(size);
      int to = Math.min(size, at + 1 + random.nextInt(100));
      long clear = plain.nextClearBit(at);
      assertThat(bitmap.nextSet(at)).as(name).isEqualTo(plain.nextSetBit(at));
      assertThat(bitmap.nextClear(at)).as(name).isEqualTo(clear < size ? clear : -1);
      assertThat(bitmap.isSet(at, to)).as(name).isEqualTo(clear >= to);
      long[] word = plain.get(at & -64, (at & -64) + 64).toLongArray();
      assertThat(bitmap.word(at >> 6)).as(name).isEqualTo(word.length == 0 ? 0 : word[0]);
    }
  }

  /** 2^54 bits: a disk as long as disks can be, in sectors. */
  @Test
  void largestDiskTakesNoTimeAndNoMemory() {
    HierarchicalBitmap bitmap = new HierarchicalBitmap(1L << 54);

    bitmap.set(5, 1L << 54);
    bitmap.clear(1L << 40, (1L << 40) + 1);

    assertThat(bitmap.count()).isEqualTo((1L << 54) - 6);
    assertThat(bitmap.nextSet(0)).isEqualTo(5);
    assertThat(bitmap.nextClear(5)).isEqualTo(1L << 40);
    assertThat(bitmap.nextSet(1L << 40)).isEqualTo((1L << 40) + 1);
    assertThat(bitmap.nextClear((1L << 40) + 1)).isEqualTo(-1);
  }

  @Test
  void emptyBitmapHasNothing() {
    HierarchicalBitmap bitmap = new HierarchicalBitmap(0);

    assertThat(bitmap.set(0, 10)).isFalse();
    assertThat(bitmap.nextSet(0)).isEqualTo(-1);
    assertThat(bitmap.nextClear(0)).isEqualTo(-1);
    assertThat(bitmap.word(0)).isZero();
  }
}
