// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.crypto;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import java.io.IOException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class CipherSpecTest {
  @ParameterizedTest
  @CsvSource({
    "aes, xts-plain64, 64",
    "aes, xts-plain, 32",
    "aes, xts-plain64, 48",
    "aes, cbc-essiv:sha256, 16",
    "aes, cbc-essiv:md5, 32",
    "aes, cbc-plain64, 24",
    "aes, ecb-plain64, 32",
    "aes, ctr-plain64, 32",
    "serpent, cbc-essiv:sha256, 16",
    "twofish, xts-essiv:md5, 48",
    "cast5, cbc-essiv:md5, 16",
    "sm4, xts-plain64, 32",
  })
  void isNamedAsInHeaders(String cipher, String mode, int keyLength) throws BlockException {
    CipherSpec spec = CipherSpec.named(cipher, mode, keyLength);

    assertThat(spec.algorithm().luksName()).isEqualTo(cipher);
    assertThat(spec.luksMode()).isEqualTo(mode);
    assertThat(spec.keyLength()).isEqualTo(keyLength);
  }

  @Test
  void ignoresAHashThatNothingNeeds() throws BlockException {
    assertThat(CipherSpec.named("aes", "xts-plain64:ripemd160", 64)).isEqualTo(CipherSpec.DEFAULT);
  }

  @ParameterizedTest
  @CsvSource({
    "camellia, xts-plain64, 64, 'cipher algorithm \"camellia\" is not supported'",
    "des3_ede, cbc-plain64, 24, 'cipher algorithm \"des3_ede\" is not supported'",
    "cast5, xts-plain64, 32,"
        + " 'cipher cast5 in mode xts: its blocks have 8 bytes, the mode needs 16'",
    "cast5, cbc-plain64, 8, 'cipher cast5 in mode cbc takes no key of 8 bytes'",
    "cast5, cbc-essiv:sha256, 16,"
        + " 'IV generator essiv:sha256 is not supported: cast5 takes no key of 32 bytes'",
    "aes, lrw-benbi, 64, 'cipher mode \"lrw\" is not supported'",
    "aes, xts, 64, 'cipher mode without an IV generator \"xts\" is not supported'",
    "aes, xts-benbi, 64, 'IV generator \"benbi\" is not supported'",
    "aes, cbc-essiv:whirlpool, 32, 'hash algorithm \"whirlpool\" is not supported'",
    "serpent, cbc-essiv:ripemd160, 32,"
        + " 'IV generator essiv:ripemd160 is not supported: serpent takes no key of 20 bytes'",
    "aes, cbc-essiv, 32, 'hash algorithm \"\" is not supported'",
    "aes, cbc-essiv:sha1, 32,"
        + " 'IV generator essiv:sha1 is not supported: aes takes no key of 20 bytes'",
    "aes, xts-plain64, 16, 'cipher aes in mode xts takes no key of 16 bytes'",
    "aes, xts-plain64, 33, 'cipher aes in mode xts takes no key of 33 bytes'",
    "aes, cbc-plain64, 64, 'cipher aes in mode cbc takes no key of 64 bytes'",
  })
  void saysWhatIsMissing(String cipher, String mode, int keyLength, String problem) {
    assertThatThrownBy(() -> CipherSpec.named(cipher, mode, keyLength))
        .hasMessage(problem)
        .extracting(e -> BlockException.errorOf((IOException) e))
        .isEqualTo(BlockError.NOT_SUPPORTED);
  }
}
