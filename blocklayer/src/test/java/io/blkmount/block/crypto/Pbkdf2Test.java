// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.crypto;

import static org.assertj.core.api.Assertions.assertThat;

import java.security.GeneralSecurityException;
import java.util.HexFormat;
import javax.crypto.SecretKeyFactory;
import javax.crypto.spec.PBEKeySpec;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

final class Pbkdf2Test {
  /** The vectors of RFC 6070 that do not take a minute. */
  @ParameterizedTest
  @CsvSource({
    "password, salt, 1, 0c60c80f961f0e71f3a9b524af6012062fe037a6",
    "password, salt, 4096, 4b007901b765489abead49d926f721d065a429c1",
    "passwordPASSWORDpassword, saltSALTsaltSALTsaltSALTsaltSALTsalt, 4096,"
        + " 3d2eec4fe41c849b80c8d83662c0e44a8b291a964cf2f07038",
  })
  void givesTheKeysOfTheStandard(String passphrase, String salt, int iterations, String key) {
    Pbkdf2 derivation =
        new Pbkdf2(HashAlgorithm.SHA1, FixedBytes.copyOf(LuksHeaders.utf8(salt)), iterations);

    SecretBytes derived = derivation.derive(LuksHeaders.utf8(passphrase), key.length() / 2);

    assertThat(HexFormat.of().formatHex(derived.bytes())).isEqualTo(key);
  }

  /** Up to here the platform agrees; beyond ASCII it encodes characters in its own way. */
  @ParameterizedTest
  @EnumSource(
      value = HashAlgorithm.class,
      names = {"SHA1", "SHA224", "SHA256", "SHA384", "SHA512"})
  void agreesWithThePlatformOnPlainPassphrases(HashAlgorithm hash) throws GeneralSecurityException {
    byte[] salt = LuksHeaders.key(32, 9).bytes();
    SecretKeyFactory factory = SecretKeyFactory.getInstance("PBKDF2WithHmac" + hash.name());
    PBEKeySpec spec = new PBEKeySpec("correct horse".toCharArray(), salt, 77, 64 * 8);

    SecretBytes derived =
        new Pbkdf2(hash, FixedBytes.copyOf(salt), 77).derive(LuksHeaders.utf8("correct horse"), 64);

    assertThat(derived.bytes()).isEqualTo(factory.generateSecret(spec).getEncoded());
  }

  @Test
  void takesEveryByteOfAPassphraseAsItIs() {
    Pbkdf2 derivation = new Pbkdf2(HashAlgorithm.SHA256, FixedBytes.zeros(32), 2);

    byte[] none = derivation.derive(new byte[0], 32).bytes();
    byte[] high = derivation.derive(new byte[] {(byte) 0xe9}, 32).bytes();
    byte[] other = derivation.derive(new byte[] {(byte) 0xe8}, 32).bytes();

    assertThat(high).isNotEqualTo(other).isNotEqualTo(none);
  }
}
