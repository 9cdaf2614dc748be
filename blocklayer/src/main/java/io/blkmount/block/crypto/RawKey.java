// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.crypto;

import java.io.NotSerializableException;
import java.io.ObjectOutputStream;
import javax.crypto.SecretKey;

/**
 * Shows a secret to the Java platform's ciphers without a lasting copy; {@code SecretKeySpec} makes
 * one that cannot be wiped, and refuses the empty passphrase.
 */
final class RawKey implements SecretKey {
  private static final long serialVersionUID = 1L;

  private final String algorithm;
  private final transient SecretBytes secret;

  RawKey(String algorithm, SecretBytes secret) {
    this.algorithm = algorithm;
    this.secret = secret;
  }

  @Override
  public String getAlgorithm() {
    return algorithm;
  }

  @Override
  public String getFormat() {
    return "RAW";
  }

  /** Returns a copy, which the ciphers of the platform wipe themselves. */
  @Override
  public byte[] getEncoded() {
    return secret.bytes().clone();
  }

  private void writeObject(ObjectOutputStream stream) throws NotSerializableException {
    throw new NotSerializableException("a key stays where it is");
  }
}
