// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.driver.BackingReference;
import io.blkmount.block.driver.CreateOptions;
import io.blkmount.block.testing.Images;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Damages headers at random: they are read, or refused with one line; nothing else. */
final class HeaderMutationTest {
  private static final int ROUNDS = 20_000 * Images.SCALE;
  private static final int[] TYPES = {
    HeaderExtensions.BACKING_FORMAT,
    HeaderExtensions.DATA_FILE_NAME,
    HeaderExtensions.CRYPTO_HEADER,
    HeaderExtensions.FEATURE_NAMES,
    HeaderExtensions.BITMAPS,
    0x12345678
  };

  private final List<HeaderBytes> originals =
      List.of(
          created("compat=0.10", "base.img"),
          created("cluster_size=512", "base.img"),
          created("compat=1.1", null),
          created("compression_type=zstd", "base.img"),
          created("lazy_refcounts=on", null).poke("32=00000002 112=0537be7700000010"),
          created("compat=1.1", null).poke("72=0000000000000004 88=0000000000000003"));

  private static HeaderBytes created(String option, String backingName) {
    String[] pair = option.split("=");
    BackingReference backing =
        backingName == null ? null : new BackingReference(backingName, "raw");
    return HeaderBytes.created(new CreateOptions(1 << 20, backing, Map.of(pair[0], pair[1])));
  }

  @Test
  void damagedHeadersAreReadOrRefusedInOneLine() {
    int read = 0;
    for (int seed = 0; seed < ROUNDS; seed++) {
      Random random = new Random(seed);
      HeaderBytes original = originals.get(random.nextInt(originals.size()));
      read += isReadOrRefused(mutated(original.bytes(), random), seed) ? 1 : 0;
    }
    assertThat(read).as("headers that survived").isBetween(ROUNDS / 100, ROUNDS * 9 / 10);
  }

  private static boolean isReadOrRefused(HeaderBytes bytes, int seed) {
    try {
      assertRoundTrip(bytes.parse());
      return true;
    } catch (IOException expected) {
      assertThat(expected.getMessage())
          .as("seed %d", seed)
          .startsWith("image \"disk.qcow2\": ")
          .hasSizeLessThan(5000)
          .doesNotContainPattern("\\p{Cntrl}");
      return false;
    } catch (RuntimeException | Error e) {
      throw new AssertionError("seed " + seed, e);
    }
  }

  /** What was read is what is written again. */
  private static void assertRoundTrip(HeaderBytes.Parsed parsed) throws IOException {
    int headerLength = parsed.header().headerLength();
    ByteBuffer again = ByteBuffer.allocate(headerLength + parsed.extensions().encodedLength());
    parsed.header().encode(again);
    assertThat(Qcow2Header.parse("x", again.duplicate().flip(), again.position()))
        .isEqualTo(parsed.header());
    parsed.extensions().encode(again);
    assertThat(again.hasRemaining()).isFalse();
  }

  private static HeaderBytes mutated(ByteBuffer original, Random random) {
    byte[] bytes = new byte[original.remaining()];
    original.get(bytes);
    ByteBuffer cluster = ByteBuffer.wrap(bytes);
    for (int count = random.nextInt(6); count >= 0; count--) {
      mutate(cluster, random);
    }
    return HeaderBytes.of(bytes);
  }

  private static void mutate(ByteBuffer cluster, Random random) {
    int word = random.nextInt(16, 60) * 4;
    switch (random.nextInt(6)) {
      case 0 -> cluster.put(random.nextInt(160), (byte) random.nextInt());
      case 1 -> cluster.putInt(random.nextInt(4, 30) * 4, (int) EdgeValues.any(random));
      case 2 -> cluster.putLong(random.nextInt(1, 14) * 8, EdgeValues.any(random));
      case 3 -> cluster.putInt(word, TYPES[random.nextInt(TYPES.length)]);
      case 4 ->
          cluster
              .putInt(word, TYPES[random.nextInt(TYPES.length)])
              .putInt(word + 4, random.nextInt(64));
      default -> cluster.put(random.nextInt(112, 500), (byte) random.nextInt());
    }
  }
}
