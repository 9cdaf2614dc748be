// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.crypto;

import static io.blkmount.block.crypto.SectorCipher.SECTOR_SIZE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.blkmount.block.testing.DiskModel;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.security.GeneralSecurityException;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Random;
import java.util.stream.IntStream;
import javax.crypto.Cipher;
import javax.crypto.spec.IvParameterSpec;
import javax.crypto.spec.SecretKeySpec;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class SectorCipherTest {
  private static final int MANY = 83 * SECTOR_SIZE;

  private static SectorCipher cipher(CipherSpec spec) {
    try (SecretBytes key = LuksHeaders.key(spec.keyLength(), 40)) {
      return SectorCipher.of(spec, key);
    }
  }

  private static byte[] encrypted(SectorCipher cipher, byte[] plain, long firstSector) {
    ByteBuffer bytes = ByteBuffer.wrap(plain.clone());
    cipher.encrypt(firstSector, bytes);
    assertThat(bytes.hasRemaining()).isFalse();
    return bytes.array();
  }

  @ParameterizedTest
  @CsvSource({
    "aes, xts-plain64, 32",
    "aes, xts-plain, 48",
    "aes, xts-essiv:sha256, 64",
    "aes, cbc-plain64, 16",
    "aes, cbc-essiv:sha256, 24",
    "aes, cbc-essiv:md5, 32",
    "aes, ecb-plain64, 32",
    "aes, ctr-plain64, 16",
    "serpent, xts-plain64, 64",
    "twofish, cbc-essiv:sha256, 24",
    "cast5, cbc-plain64, 16",
    "cast5, ctr-essiv:md5, 16",
    "sm4, xts-plain64, 32",
  })
  void takesSectorsTogetherAsItTakesEach(String name, String mode, int keyLength)
      throws IOException {
    int seed = (name + mode).hashCode() + keyLength;
    Random random = new Random(seed);
    byte[] plain = DiskModel.pattern(MANY, seed);
    try (SectorCipher cipher = cipher(CipherSpec.named(name, mode, keyLength))) {
      byte[] whole = encrypted(cipher, plain, 1000);
      for (int round = 0; round < 40; round++) {
        int from = random.nextInt(83);
        int count = random.nextInt(83 - from) + 1;
        ByteBuffer target = ByteBuffer.allocateDirect(count * SECTOR_SIZE + 100);

        cipher.decrypt(
            1000 + from, ByteBuffer.wrap(whole, from * SECTOR_SIZE, count * SECTOR_SIZE), target);

        assertThat(target.flip())
            .as("seed %d from %d count %d", seed, from, count)
            .isEqualTo(ByteBuffer.wrap(plain, from * SECTOR_SIZE, count * SECTOR_SIZE));
      }
    }
  }

  @ParameterizedTest
  @CsvSource({"CBC, 16", "CBC, 32", "CTR, 24"})
  void agreesWithThePlatformWhereItHasTheMode(CipherMode mode, int keyLength)
      throws GeneralSecurityException {
    byte[] plain = DiskModel.pattern(MANY, 5);
    CipherSpec spec =
        new CipherSpec(CipherAlgorithm.AES, keyLength, mode, IvGenerator.PLAIN64, null);
    Cipher platform = Cipher.getInstance("AES/" + mode + "/NoPadding");
    SecretKeySpec key = new SecretKeySpec(LuksHeaders.key(keyLength, 40).bytes(), "AES");

    try (SectorCipher cipher = cipher(spec)) {
      byte[] ours = encrypted(cipher, plain, 1L << 33);
      for (int i = 0; i < MANY / SECTOR_SIZE; i++) {
        ByteBuffer iv = ByteBuffer.allocate(16).order(ByteOrder.LITTLE_ENDIAN);
        iv.putLong((1L << 33) + i);
        platform.init(Cipher.ENCRYPT_MODE, key, new IvParameterSpec(iv.array()));
        assertThat(ByteBuffer.wrap(ours, i * SECTOR_SIZE, SECTOR_SIZE))
            .isEqualTo(ByteBuffer.wrap(platform.doFinal(plain, i * SECTOR_SIZE, SECTOR_SIZE)));
      }
    }
  }

  /** The second vector of IEEE 1619 has 32 bytes; this is its key and number on a whole sector. */
  @Test
  void startsXtsSectorsAsTheStandardDoes() {
    SecretBytes key = SecretBytes.zeros(32);
    Arrays.fill(key.bytes(), 0, 16, (byte) 0x11);
    Arrays.fill(key.bytes(), 16, 32, (byte) 0x22);
    byte[] plain = new byte[SECTOR_SIZE];
    Arrays.fill(plain, (byte) 0x44);

    byte[] sector;
    try (SectorCipher cipher =
        SectorCipher.of(
            new CipherSpec(CipherAlgorithm.AES, 32, CipherMode.XTS, IvGenerator.PLAIN64, null),
            key)) {
      sector = encrypted(cipher, plain, 0x3333333333L);
    }

    assertThat(HexFormat.of().formatHex(sector, 0, 32))
        .isEqualTo("c454185e6a16936e39334038acef838bfb186fff7480adc4289382ecd6d394f0");
  }

  @Test
  void plainVectorsRepeatAfterTwoTebibytes() {
    byte[] plain = DiskModel.pattern(2 * SECTOR_SIZE, 1);
    CipherSpec spec =
        new CipherSpec(CipherAlgorithm.AES, 32, CipherMode.XTS, IvGenerator.PLAIN, null);

    try (SectorCipher cipher = cipher(spec);
        SectorCipher wide =
            cipher(
                new CipherSpec(
                    CipherAlgorithm.AES, 32, CipherMode.XTS, IvGenerator.PLAIN64, null))) {
      assertThat(encrypted(cipher, plain, (1L << 32) + 5)).isEqualTo(encrypted(cipher, plain, 5));
      assertThat(encrypted(wide, plain, (1L << 32) + 5)).isNotEqualTo(encrypted(wide, plain, 5));
    }
  }

  @Test
  void servesManyThreadsAtOnce() {
    byte[] plain = DiskModel.pattern(MANY, 2);
    try (SectorCipher cipher = cipher(CipherSpec.DEFAULT)) {
      byte[] expected = encrypted(cipher, plain, 7);

      boolean allSame =
          IntStream.range(0, 200)
              .parallel()
              .allMatch(i -> Arrays.equals(encrypted(cipher, plain, 7), expected));

      assertThat(allSame).isTrue();
    }
  }

  @Test
  void worksNoMoreWhenClosed() {
    SectorCipher cipher = cipher(CipherSpec.LEGACY_QCOW2);
    cipher.encrypt(0, ByteBuffer.allocate(SECTOR_SIZE));
    cipher.close();

    assertThatThrownBy(() -> cipher.encrypt(0, ByteBuffer.allocate(SECTOR_SIZE)))
        .isInstanceOf(IllegalStateException.class);
  }

  @Test
  void takesWholeSectorsOnly() {
    try (SectorCipher cipher = cipher(CipherSpec.DEFAULT)) {
      assertThatThrownBy(() -> cipher.decrypt(0, ByteBuffer.allocate(100)))
          .isInstanceOf(IllegalArgumentException.class);
      assertThatThrownBy(() -> cipher.decrypt(-1, ByteBuffer.allocate(512)))
          .isInstanceOf(IllegalArgumentException.class);
    }
  }
}
