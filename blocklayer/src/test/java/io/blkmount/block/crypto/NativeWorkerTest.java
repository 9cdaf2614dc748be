// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.crypto;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.blkmount.block.error.BlockException;
import io.blkmount.block.testing.DiskModel;
import java.nio.ByteBuffer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What libcrypto makes is what the Java platform makes. */
final class NativeWorkerTest {
  private static final int LENGTH = 150 * SectorCipher.SECTOR_SIZE;

  private static ByteBuffer buffer(byte[] bytes, boolean direct) {
    return direct
        ? ByteBuffer.allocateDirect(bytes.length + 3).position(3).put(bytes).position(3)
        : ByteBuffer.wrap(bytes.clone());
  }

  private static byte[] bytes(ByteBuffer flipped) {
    byte[] bytes = new byte[flipped.remaining()];
    flipped.get(bytes);
    return bytes;
  }

  @ParameterizedTest
  @CsvSource({
    "xts-plain64, 64",
    "xts-plain64, 48",
    "xts-plain, 32",
    "xts-essiv:sha256, 64",
    "cbc-plain64, 16",
    "cbc-essiv:sha256, 24",
    "cbc-essiv:md5, 32",
    "ctr-plain64, 16",
    "ctr-plain, 24",
    "ctr-essiv:sha256, 32",
    "ecb-plain64, 16",
    "ecb-plain64, 32",
  })
  void bothGiveTheSame(String mode, int keyLength) throws BlockException {
    CipherSpec spec = CipherSpec.named("aes", mode, keyLength);
    byte[] plain = DiskModel.pattern(LENGTH, keyLength);
    long sector = (1L << 32) - 70; // where plain starts again
    try (SecretBytes key = LuksHeaders.key(keyLength, 7);
        SectorCipher java = new PooledSectorCipher(spec, key, JavaWorker::of);
        SectorCipher host = SectorCipher.of(spec, key)) {
      for (boolean direct : new boolean[] {true, false}) {
        ByteBuffer source = buffer(plain, direct);
        ByteBuffer expected = ByteBuffer.allocate(LENGTH);
        ByteBuffer target = ByteBuffer.allocateDirect(LENGTH);
        java.encrypt(sector, ByteBuffer.wrap(plain), expected);

        host.encrypt(sector, source, target);

        assertThat(source.hasRemaining()).isFalse();
        assertThat(bytes(target.flip())).isEqualTo(expected.array());
        host.decrypt(sector, target.rewind());
        assertThat(bytes(target.flip())).isEqualTo(plain);
      }
    }
  }

  @Test
  void keysWithTwoEqualHalvesAreLeftToJava() throws BlockException {
    CipherSpec spec = CipherSpec.DEFAULT;
    try (SecretBytes key = SecretBytes.zeros(spec.keyLength());
        SectorCipher cipher = SectorCipher.of(spec, key)) {
      ByteBuffer sector = ByteBuffer.allocateDirect(SectorCipher.SECTOR_SIZE);
      cipher.encrypt(0, sector);
      cipher.decrypt(0, sector.flip());
      assertThat(bytes(sector.flip())).containsOnly(0);
    }
  }

  @Test
  void derivedKeysAreTheSame() {
    assumeTrue(LibCrypto.HOST != null, "no libcrypto here");
    FixedBytes salt = FixedBytes.zeros(LuksHeader.SALT_LENGTH);
    for (HashAlgorithm hash : HashAlgorithm.values()) {
      for (String password : new String[] {"", "x", "a password"}) {
        Pbkdf2 derivation = new Pbkdf2(hash, salt, 100);
        byte[] bytes = LuksHeaders.utf8(password);

        try (SecretBytes host = derivation.derive(bytes, 100);
            SecretBytes here = derivation.deriveHere(bytes, 100)) {
          assertThat(host.bytes()).as("%s of \"%s\"", hash, password).isEqualTo(here.bytes());
        }
      }
    }
  }
}
