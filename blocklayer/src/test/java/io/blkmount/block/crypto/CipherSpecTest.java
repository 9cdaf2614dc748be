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
    "xts-plain64, 64",
    "xts-plain, 32",
    "xts-plain64, 48",
    "cbc-essiv:sha256, 16",
    "cbc-essiv:md5, 32",
    "cbc-plain64, 24",
    "ecb-plain64, 32",
    "ctr-plain64, 32",
  })
  void isNamedAsInHeaders(String mode, int keyLength) throws BlockException {
    CipherSpec spec = CipherSpec.named("aes", mode, keyLength);

    assertThat(spec.luksMode()).isEqualTo(mode);
    assertThat(spec.keyLength()).isEqualTo(keyLength);
  }

  @Test
  void ignoresAHashThatNothingNeeds() throws BlockException {
    assertThat(CipherSpec.named("aes", "xts-plain64:ripemd160", 64)).isEqualTo(CipherSpec.DEFAULT);
  }

  @ParameterizedTest
  @CsvSource({
    "serpent, xts-plain64, 64, 'cipher algorithm \"serpent\" is not supported'",
    "twofish, xts-plain64, 64, 'cipher algorithm \"twofish\" is not supported'",
    "cast5, cbc-plain64, 16, 'cipher algorithm \"cast5\" is not supported'",
    "aes, lrw-benbi, 64, 'cipher mode \"lrw\" is not supported'",
    "aes, xts, 64, 'cipher mode without an IV generator \"xts\" is not supported'",
    "aes, xts-benbi, 64, 'IV generator \"benbi\" is not supported'",
    "aes, cbc-essiv:ripemd160, 32, 'hash algorithm \"ripemd160\" is not supported'",
    "aes, cbc-essiv, 32, 'hash algorithm \"\" is not supported'",
    "aes, cbc-essiv:sha1, 32,"
        + " 'IV generator essiv:sha1 is not supported: AES takes no key of 20 bytes'",
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
