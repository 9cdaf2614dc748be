// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.crypto;

/** The key of qcow2's first encryption: the passphrase itself, nothing derived. */
public final class LegacyKey {
  private LegacyKey() {}

  /**
   * Returns the key for {@link CipherSpec#LEGACY_QCOW2}: the first 16 bytes of the passphrase,
   * filled up with zeros. There is nothing to tell a wrong one by.
   *
   * @param passphrase exactly as the user gave it; stays the caller's
   */
  public static SecretBytes of(byte[] passphrase) {
    SecretBytes key = SecretBytes.zeros(CipherSpec.LEGACY_QCOW2.keyLength());
    System.arraycopy(passphrase, 0, key.bytes(), 0, Math.min(passphrase.length, key.length()));
    return key;
  }
}
