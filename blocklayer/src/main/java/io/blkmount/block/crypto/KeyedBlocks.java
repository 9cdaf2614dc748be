// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.crypto;

/**
 * A block cipher with its key, on whole blocks, each by itself or, when encrypting, chained; for
 * one thread. Source and target are different arrays.
 */
interface KeyedBlocks extends AutoCloseable {
  /** Returns a cipher that takes each block by itself. */
  static KeyedBlocks each(CipherAlgorithm algorithm, SecretBytes key) {
    return algorithm == CipherAlgorithm.AES
        ? AesBlocks.each(key)
        : BouncyBlocks.each(algorithm, key);
  }

  /** Returns a cipher that encrypts in one chain which starts with zeros, and decrypts each. */
  static KeyedBlocks chained(CipherAlgorithm algorithm, SecretBytes key) {
    return algorithm == CipherAlgorithm.AES
        ? AesBlocks.chained(key)
        : BouncyBlocks.chained(algorithm, key);
  }

  /**
   * Encrypts blocks of {@code source} to the same place of {@code target}.
   *
   * @param length in bytes, a multiple of the block's
   */
  void encrypt(byte[] source, byte[] target, int offset, int length);

  /** Decrypts; everything else is as for {@link #encrypt}. */
  void decrypt(byte[] source, byte[] target, int offset, int length);

  /** Forgets the key. */
  @Override
  void close();
}
