// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.crypto;

/**
 * By what a master key is known to be right without being stored.
 *
 * @param hash of the derivation
 * @param salt 32 bytes
 * @param iterations of the derivation
 * @param value 20 bytes, whatever the hash
 */
record MasterKeyDigest(HashAlgorithm hash, FixedBytes salt, int iterations, FixedBytes value) {
  static MasterKeyDigest of(
      SecretBytes masterKey, HashAlgorithm hash, FixedBytes salt, int iterations) {
    try (SecretBytes derived =
        new Pbkdf2(hash, salt, iterations).derive(masterKey.bytes(), LuksHeader.DIGEST_LENGTH)) {
      return new MasterKeyDigest(hash, salt, iterations, FixedBytes.copyOf(derived.bytes()));
    }
  }

  /** Returns whether this was made from the key. */
  boolean matches(SecretBytes masterKey) {
    try (SecretBytes derived =
        new Pbkdf2(hash, salt, iterations).derive(masterKey.bytes(), value.length())) {
      return value.matches(derived);
    }
  }
}
