// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.crypto;

import java.security.GeneralSecurityException;
import javax.crypto.Cipher;
import javax.crypto.ShortBufferException;
import javax.crypto.spec.IvParameterSpec;

/**
 * AES on blocks of 16 bytes, each by itself or, when encrypting, chained; for one thread.
 *
 * <p>The platform's ciphers are made once and never started again, since every {@code init} makes
 * garbage. Input and output are different arrays, since else the platform copies the input.
 */
final class AesBlocks implements KeyedBlocks {
  static final int BLOCK = 16;

  private static final String EACH = "AES/ECB/NoPadding";
  private static final String CHAINED = "AES/CBC/NoPadding";

  private final int keyLength;
  private final Cipher encryption;
  private final Cipher decryption;

  private AesBlocks(int keyLength, Cipher encryption, Cipher decryption) {
    this.keyLength = keyLength;
    this.encryption = encryption;
    this.decryption = decryption;
  }

  /** Returns AES that takes each block by itself. */
  static AesBlocks each(SecretBytes key) {
    return of(EACH, key);
  }

  /** Returns AES that encrypts in one chain which starts with zeros, and decrypts each block. */
  static AesBlocks chained(SecretBytes key) {
    return of(CHAINED, key);
  }

  private static AesBlocks of(String encryption, SecretBytes key) {
    try {
      AesBlocks blocks =
          new AesBlocks(key.length(), Cipher.getInstance(encryption), Cipher.getInstance(EACH));
      blocks.init(key);
      return blocks;
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("this Java has no AES", e);
    }
  }

  private void init(SecretBytes key) throws GeneralSecurityException {
    RawKey raw = new RawKey("AES", key);
    if (encryption.getAlgorithm().equals(CHAINED)) {
      encryption.init(Cipher.ENCRYPT_MODE, raw, new IvParameterSpec(new byte[BLOCK]));
    } else {
      encryption.init(Cipher.ENCRYPT_MODE, raw);
    }
    decryption.init(Cipher.DECRYPT_MODE, raw);
  }

  @Override
  public void encrypt(byte[] source, byte[] target, int offset, int length) {
    update(encryption, source, target, offset, length);
  }

  @Override
  public void decrypt(byte[] source, byte[] target, int offset, int length) {
    update(decryption, source, target, offset, length);
  }

  private static void update(Cipher cipher, byte[] source, byte[] target, int offset, int length) {
    try {
      int done = cipher.update(source, offset, length, target, offset);
      assert done == length : done + " of " + length;
    } catch (ShortBufferException e) {
      throw new IllegalStateException("AES without padding keeps the length", e);
    }
  }

  /** Puts another key in the place of this one, which makes the platform drop its schedule. */
  @Override
  public void close() {
    try (SecretBytes nothing = SecretBytes.zeros(keyLength)) {
      init(nothing);
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("AES took a key of this length before", e);
    }
  }
}
