// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.crypto;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.error.BlockException;
import java.security.SecureRandom;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class KeyMaterialTest {
  /** Stripes of 24 bytes end inside a sector. */
  @ParameterizedTest
  @CsvSource({"cbc-plain64, 24", "ctr-plain64, 24", "xts-plain64, 48", "cbc-essiv:sha256, 16"})
  void unlocksWhatItLocked(String mode, int keyLength) throws BlockException {
    KeyMaterial material =
        new KeyMaterial(CipherSpec.named("aes", mode, keyLength), HashAlgorithm.SHA1);
    LuksKeySlot slot = LuksKeySlot.free(8).activated(10, FixedBytes.zeros(32));
    SecretBytes masterKey = LuksHeaders.key(keyLength, 9);

    byte[] stored = material.lock(masterKey, slot, LuksHeaders.utf8("x"), new SecureRandom());

    assertThat(stored).hasSize(keyLength * LuksKeySlot.STRIPES);
    assertThat(material.unlock(stored, slot, LuksHeaders.utf8("x")).bytes())
        .isEqualTo(masterKey.bytes());
    assertThat(material.unlock(stored, slot, LuksHeaders.utf8("y")).bytes())
        .isNotEqualTo(masterKey.bytes());
  }
}
