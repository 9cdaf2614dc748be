// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.testing;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

final class PagedBytesTest {
  @Test
  void copiesNeverSeeEachOther() {
    for (long seed = 1; seed <= 20; seed++) {
      SplittableRandom random = new SplittableRandom(seed);
      List<PagedBytes> copies = new ArrayList<>(List.of(new PagedBytes(0)));
      List<byte[]> expected = new ArrayList<>(List.of(new byte[0]));
      for (int step = 0; step < 300; step++) {
        int which = random.nextInt(copies.size());
        expected.set(which, change(copies.get(which), expected.get(which), random));
        if (random.nextInt(20) == 0) {
          copies.add(copies.get(which).copy());
          expected.add(expected.get(which));
        }
      }
      for (int i = 0; i < copies.size(); i++) {
        int length = (int) copies.get(i).length();
        assertThat(copies.get(i).bytes(0, length)).as("seed " + seed).isEqualTo(expected.get(i));
      }
    }
  }

  /** Applies the same random change to both and returns the changed array. */
  private static byte[] change(PagedBytes paged, byte[] array, SplittableRandom random) {
    int offset = random.nextInt(random.nextInt(8) == 0 ? 3 << 20 : 40_000);
    int count = 1 + random.nextInt(20_000);
    switch (random.nextInt(4)) {
      case 0 -> {
        paged.setLength(offset);
        return Arrays.copyOf(array, offset);
      }
      case 1 -> {
        paged.zero(offset, count);
        byte[] changed = array.clone();
        int end = Math.min(array.length, offset + count);
        Arrays.fill(changed, Math.min(offset, end), end, (byte) 0);
        return changed;
      }
      default -> {
        byte[] written = DiskModel.pattern(count, random.nextLong());
        paged.write(offset, ByteBuffer.wrap(written));
        byte[] changed = Arrays.copyOf(array, Math.max(array.length, offset + count));
        System.arraycopy(written, 0, changed, offset, count);
        return changed;
      }
    }
  }

  @Test
  void holesTakeNoSpace() {
    PagedBytes paged = new PagedBytes(1L << 40);
    paged.write((1L << 40) - 1, ByteBuffer.wrap(new byte[] {1}));

    assertThat(paged.length()).isEqualTo(1L << 40);
    assertThat(paged.allocatedBytes()).isEqualTo(PagedBytes.PAGE);
    assertThat(paged.bytes((1L << 40) - 2, 3)).containsExactly(0, 1, 0);
  }
}
