// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.blkmount.block.driver.DriverInstance;
import io.blkmount.block.driver.DriverOptions;
import io.blkmount.block.driver.KeySource;
import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.error.CorruptImageException;
import io.blkmount.block.testing.Images;
import io.blkmount.block.testing.MemoryChild;
import io.blkmount.block.testing.MemoryInstance;
import io.blkmount.block.testing.PagedBytes;
import io.blkmount.block.testing.TestKey;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Headers of encrypted images that are wrong on purpose: one line each, and nothing is written. */
final class HostileEncryptionTest {
  private static final int CLUSTER = 4096;
  private static final int ROUNDS = 2000 * Images.SCALE;
  private static final int SIZE_AT = 24;
  private static final int CRYPT_METHOD_AT = 32;

  /** The pointer's record is the first one. */
  private static final int POINTER_AT = 112;

  private static final PagedBytes IMAGE =
      ImageShape.of(CLUSTER, 1 << 20).withEncryption("luks").create();

  private final PagedBytes image = IMAGE.copy();

  private static DriverInstance open(PagedBytes image, boolean writable, KeySource keys)
      throws IOException {
    DriverOptions options = new DriverOptions("bad.qcow2", writable, Map.of(), keys);
    MemoryInstance host = MemoryInstance.file(image, 1);
    return new Qcow2Driver().open(options, new MemoryChild(host).opener());
  }

  private void put(long offset, long value) {
    image.write(offset, ByteBuffer.allocate(Long.BYTES).putLong(0, value));
  }

  private void assertRefused(String message) {
    for (boolean writable : new boolean[] {false, true}) {
      assertThatThrownBy(() -> open(image, writable, TestKey.SOURCE))
          .isInstanceOf(IOException.class)
          .hasMessageContaining("bad.qcow2")
          .hasMessageContaining(message);
    }
  }

  @ParameterizedTest
  @CsvSource({
    "0, 0x1f9000, 0 is where the image's own header lies",
    "0x1001, 0x1f9000, not a multiple of the cluster size 4096",
    "0x100000000000000, 0x1f9000, is not below 2^56",
    "0x7000000, 0x1f9000, ends past the end of the file",
    "0x4000, 0x3000000, ends past the end of the file",
    "0x4000, 0x7f00000000000000, bytes long",
    "0x4000, 0x10000000, at most 67108864",
    "0x4000, 0, bytes long",
    "0x4000, 591, truncated LUKS header: 591 of 592 bytes",
    "0x4000, 0x1000, key-material-offset",
    "0, 0, 0 bytes long",
  })
  void pointersThatCannotBeAreRefused(String offset, String length, String message) {
    put(POINTER_AT + 8, Long.decode(offset));
    put(POINTER_AT + 16, Long.decode(length));

    assertRefused(message);
  }

  @Test
  void anImageWithoutThePointerIsRefused() {
    put(POINTER_AT, 0);

    assertRefused("missing, but crypt_method is 2 (LUKS)");
  }

  @Test
  void anUnknownMethodIsRefused() {
    image.write(CRYPT_METHOD_AT, ByteBuffer.allocate(Integer.BYTES).putInt(0, 3));

    assertRefused("crypt_method");
  }

  @Test
  void partOfASectorIsRefused() {
    put(SIZE_AT, (1 << 20) - 12);

    assertRefused("size: 1048564 is not a multiple of 512, as an encrypted disk's must be");
  }

  @Test
  void aHeaderWithoutMagicIsRefused() throws IOException {
    put(luksOffset(), 0);

    assertRefused("not a LUKS header: no LUKS magic at its start");
  }

  private long luksOffset() {
    return image.getLong(POINTER_AT + 8);
  }

  @Test
  void aPointerToASparseFileOfAnyLengthHoldsNobodyUp() {
    image.setLength(1L << 50);
    put(POINTER_AT + 16, 1L << 49);

    assertRefused("at most 67108864");
  }

  /** An entry that points there would let the guest overwrite the keys. */
  @Test
  void guestDataIsNotWrittenOverTheKeys() throws IOException {
    MemoryInstance host = MemoryInstance.file(image, 1);
    DriverOptions options = new DriverOptions("bad.qcow2", true, Map.of(), TestKey.SOURCE);
    try (DriverInstance disk = new Qcow2Driver().open(options, new MemoryChild(host).opener())) {
      disk.write(0, Images.bytes(CLUSTER, 1), WriteFlags.NONE);
    }
    long l2 = host.content().getLong(image.getLong(40)) & 0x00ff_ffff_ffff_fe00L;
    long keys = luksOffset() + CLUSTER;
    PagedBytes bad = host.content().copy();
    bad.write(l2, ByteBuffer.allocate(Long.BYTES).putLong(0, keys | 1L << 63));
    byte[] before = bad.bytes(keys, CLUSTER);

    try (DriverInstance disk = open(bad, true, TestKey.SOURCE)) {
      assertThatThrownBy(() -> disk.write(0, Images.bytes(CLUSTER, 2), WriteFlags.NONE))
          .isInstanceOf(CorruptImageException.class)
          .hasMessageContaining("would overwrite the LUKS header");
    }
    assertThat(bad.bytes(keys, CLUSTER)).isEqualTo(before);
  }

  /** Without its key, since any number of iterations may come out. */
  @Test
  void damagedHeadersAreReadOrRefusedInOneLine() {
    int read = 0;
    for (int seed = 0; seed < ROUNDS; seed++) {
      PagedBytes damaged = IMAGE.copy();
      damage(damaged, new Random(seed));
      try (DriverInstance disk = open(damaged, true, KeySource.LOCKED)) {
        read++;
      } catch (IOException expected) {
        assertThat(expected.getMessage())
            .as("seed %d", seed)
            .hasSizeLessThan(300)
            .contains("bad.qcow2")
            .doesNotContainPattern("\\p{Cntrl}");
      } catch (RuntimeException | Error e) {
        throw new AssertionError("seed " + seed, e);
      }
    }
    assertThat(read).isBetween(1, ROUNDS - 1);
  }

  private void damage(PagedBytes bytes, Random random) {
    for (int count = random.nextInt(3); count >= 0; count--) {
      long place =
          switch (random.nextInt(3)) {
            case 0 -> POINTER_AT + random.nextInt(24);
            case 1 -> luksOffset() + random.nextInt(592);
            default -> luksOffset() + 4L * random.nextInt(26, 148);
          };
      byte[] some = new byte[random.nextInt(2) * 3 + 1];
      random.nextBytes(some);
      bytes.write(place, ByteBuffer.wrap(some));
    }
  }
}
