// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.crypto;

import java.security.DigestException;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.util.Arrays;

/**
 * Spreads a key over stripes so that losing any one of them loses the key: an erased slot stays
 * erased even if the medium keeps an old copy of some of its sectors. Section 2.4 of the LUKS1
 * specification.
 */
final class AfSplitter {
  private final HashAlgorithm hash;
  private final int stripes;

  AfSplitter(HashAlgorithm hash, int stripes) {
    this.hash = hash;
    this.stripes = stripes;
  }

  /**
   * Returns {@code stripes} times as many bytes as the key has.
   *
   * @param key any length
   * @param random for all stripes but the last
   */
  SecretBytes split(SecretBytes key, SecureRandom random) {
    int length = key.length();
    SecretBytes material = SecretBytes.random(length * stripes, random);
    int last = length * (stripes - 1);
    try (SecretBytes mixed = mixedBefore(last, material.bytes(), length)) {
      for (int i = 0; i < length; i++) {
        material.bytes()[last + i] = (byte) (mixed.bytes()[i] ^ key.bytes()[i]);
      }
    }
    return material;
  }

  /**
   * Returns the key that {@link #split} was given.
   *
   * @param material stripe after stripe
   * @param length of the key in bytes
   */
  SecretBytes merge(SecretBytes material, int length) {
    int last = length * (stripes - 1);
    SecretBytes key = mixedBefore(last, material.bytes(), length);
    mix(key.bytes(), material.bytes(), last);
    return key;
  }

  /** Returns what all stripes before {@code end} leave to be mixed with the last one. */
  private SecretBytes mixedBefore(int end, byte[] material, int length) {
    SecretBytes block = SecretBytes.zeros(length);
    MessageDigest digest = hash.newDigest();
    for (int at = 0; at < end; at += length) {
      mix(block.bytes(), material, at);
      diffuse(block.bytes(), digest);
    }
    return block;
  }

  private static void mix(byte[] block, byte[] material, int offset) {
    for (int i = 0; i < block.length; i++) {
      block[i] ^= material[offset + i];
    }
  }

  /** Replaces each piece of a digest's length, the last may be shorter, by its numbered hash. */
  private void diffuse(byte[] block, MessageDigest digest) {
    int pieceLength = hash.digestLength();
    byte[] hashed = new byte[pieceLength];
    try {
      for (int at = 0, number = 0; at < block.length; at += pieceLength, number++) {
        int length = Math.min(pieceLength, block.length - at);
        digest.update(Pbkdf2.bigEndian(number));
        digest.update(block, at, length);
        digest.digest(hashed, 0, pieceLength);
        System.arraycopy(hashed, 0, block, at, length);
      }
    } catch (DigestException e) {
      throw new IllegalStateException("a digest of " + hash + " has " + pieceLength + " bytes", e);
    } finally {
      Arrays.fill(hashed, (byte) 0);
    }
  }
}
