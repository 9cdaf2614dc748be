// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.crypto;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.testing.Images;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Damages headers at random: they are read, or refused with one line; nothing else. */
final class LuksHeaderMutationTest {
  private static final int ROUNDS = 20_000 * Images.SCALE;
  private static final int[] EDGES = {
    0,
    1,
    2,
    8,
    64,
    592,
    1000,
    4000,
    4040,
    LuksKeySlot.ACTIVE,
    LuksKeySlot.INACTIVE,
    Integer.MAX_VALUE,
    Integer.MIN_VALUE,
    -1
  };

  private static final LuksHeader ORIGINAL = LuksHeaders.header();

  @Test
  void damagedHeadersAreReadOrRefusedInOneLine() {
    int read = 0;
    for (int seed = 0; seed < ROUNDS; seed++) {
      read += isReadOrRefused(mutated(new Random(seed)), seed) ? 1 : 0;
    }
    assertThat(read).as("headers that survived").isBetween(ROUNDS / 100, ROUNDS * 9 / 10);
  }

  private static ByteBuffer mutated(Random random) {
    ByteBuffer bytes = ORIGINAL.encoded();
    for (int count = random.nextInt(4); count >= 0; count--) {
      if (random.nextBoolean()) {
        bytes.put(random.nextInt(LuksHeader.LENGTH), (byte) random.nextInt());
      } else {
        bytes.putInt(random.nextInt(26, 148) * 4, EDGES[random.nextInt(EDGES.length)]);
      }
    }
    return random.nextInt(10) == 0 ? bytes.limit(random.nextInt(LuksHeader.LENGTH)) : bytes;
  }

  private static boolean isReadOrRefused(ByteBuffer bytes, int seed) {
    try {
      LuksHeader header = LuksHeader.parse("disk", bytes, LuksHeader.areaLength(64));
      assertThat(LuksHeader.parse("disk", header.encoded(), LuksHeader.areaLength(64)))
          .as("seed %d", seed)
          .isEqualTo(header);
      return true;
    } catch (IOException expected) {
      assertThat(expected.getMessage())
          .as("seed %d", seed)
          .startsWith("image \"disk\": ")
          .hasSizeLessThan(300)
          .doesNotContainPattern("\\p{Cntrl}");
      return false;
    } catch (RuntimeException | Error e) {
      throw new AssertionError("seed " + seed, e);
    }
  }
}
