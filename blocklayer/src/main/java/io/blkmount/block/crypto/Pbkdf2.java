// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.crypto;

/**
 * Makes keys from passphrases (RFC 8018, section 5.2). The platform's own takes characters and
 * encodes them in its way; a passphrase here is bytes, exactly as the user gave them.
 */
final class Pbkdf2 {
  private final HashAlgorithm hash;
  private final FixedBytes salt;
  private final int iterations;

  Pbkdf2(HashAlgorithm hash, FixedBytes salt, int iterations) {
    if (iterations < 1) {
      throw new IllegalArgumentException("iterations: " + iterations);
    }
    this.hash = hash;
    this.salt = salt;
    this.iterations = iterations;
  }

  /**
   * Returns the key that a passphrase stands for.
   *
   * @param passphrase any bytes, also none; not kept
   * @param length of the key in bytes
   */
  SecretBytes derive(byte[] passphrase, int length) {
    SecretBytes key = SecretBytes.zeros(length);
    LibCrypto library = LibCrypto.HOST;
    if (library != null
        && library.derive(hash, passphrase, salt.toArray(), iterations, key.bytes())) {
      return key;
    }
    key.close();
    return deriveHere(passphrase, length);
  }

  /** Does {@link #derive} with hashes in Java, several times as long. */
  SecretBytes deriveHere(byte[] passphrase, int length) {
    try (SecretBytes password = SecretBytes.copyOf(passphrase);
        KeyedHash mac = hash.keyed(password)) {
      SecretBytes key = SecretBytes.zeros(length);
      fill(key.bytes(), mac);
      return key;
    }
  }

  private void fill(byte[] key, KeyedHash mac) {
    int digestLength = hash.digestLength();
    try (SecretBytes block = SecretBytes.zeros(digestLength)) {
      for (int at = 0, number = 1; at < key.length; at += digestLength, number++) {
        iterate(block.bytes(), mac, number);
        System.arraycopy(block.bytes(), 0, key, at, Math.min(digestLength, key.length - at));
      }
    }
  }

  /** Sets {@code block} to the exclusive or of what each iteration gives. */
  private void iterate(byte[] block, KeyedHash mac, int number) {
    try (SecretBytes turn = SecretBytes.zeros(block.length)) {
      mac.update(salt.toArray());
      mac.update(bigEndian(number));
      mac.finish(turn.bytes());
      System.arraycopy(turn.bytes(), 0, block, 0, block.length);
      for (int i = 1; i < iterations; i++) {
        mac.update(turn.bytes());
        mac.finish(turn.bytes());
        mix(block, turn.bytes());
      }
    }
  }

  private static void mix(byte[] block, byte[] turn) {
    for (int i = 0; i < block.length; i++) {
      block[i] ^= turn[i];
    }
  }

  static byte[] bigEndian(int number) {
    return new byte[] {
      (byte) (number >>> 24), (byte) (number >>> 16), (byte) (number >>> 8), (byte) number
    };
  }
}
