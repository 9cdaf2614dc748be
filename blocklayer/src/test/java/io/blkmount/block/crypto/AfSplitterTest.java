// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.crypto;

import static org.assertj.core.api.Assertions.assertThat;

import java.security.SecureRandom;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class AfSplitterTest {
  private final SecureRandom random = new SecureRandom();

  @ParameterizedTest
  @CsvSource({"MD5, 16, 1", "SHA1, 64, 4000", "SHA256, 24, 7", "SHA512, 64, 2", "SHA384, 32, 3"})
  void mergesWhatItSplit(HashAlgorithm hash, int length, int stripes) {
    SecretBytes key = LuksHeaders.key(length, 3);
    AfSplitter splitter = new AfSplitter(hash, stripes);

    SecretBytes material = splitter.split(key, random);

    assertThat(material.length()).isEqualTo(length * stripes);
    assertThat(splitter.merge(material, length).bytes()).isEqualTo(key.bytes());
  }

  @ParameterizedTest
  @CsvSource({"0", "1000", "4093", "4095"})
  void losesTheKeyWithAnyByte(int lost) {
    SecretBytes key = LuksHeaders.key(32, 3);
    AfSplitter splitter = new AfSplitter(HashAlgorithm.SHA256, 128);
    SecretBytes material = splitter.split(key, random);

    material.bytes()[lost] ^= 1;

    assertThat(splitter.merge(material, 32).bytes()).isNotEqualTo(key.bytes());
  }
}
