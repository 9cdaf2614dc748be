// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.crypto;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

final class SecretBytesTest {
  @Test
  void isZerosOnceClosed() {
    SecretBytes secret = SecretBytes.copyOf(new byte[] {1, 2, 3});
    byte[] bytes = secret.bytes();

    secret.close();

    assertThat(bytes).containsOnly(0);
    assertThatThrownBy(secret::bytes).hasMessage("the secret has been wiped");
  }

  @Test
  void neverShowsWhatItHolds() {
    assertThat(SecretBytes.copyOf(new byte[] {77, 78})).hasToString("SecretBytes[length=2]");
  }

  @Test
  void legacyKeyIsThePassphraseCutOrFilledTo16Bytes() {
    assertThat(LegacyKey.of(LuksHeaders.utf8("abc")).bytes()).startsWith('a', 'b', 'c', 0);
    assertThat(LegacyKey.of(LuksHeaders.utf8("0123456789abcdefXYZ")).bytes())
        .isEqualTo(LuksHeaders.utf8("0123456789abcdef"));
  }
}
