// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.crypto;

import static io.blkmount.block.crypto.SectorCipher.SECTOR_SIZE;

import io.blkmount.block.bytes.Alignment;
import java.nio.ByteBuffer;
import java.security.SecureRandom;
import java.util.Arrays;

/**
 * Turns a master key into the bytes that a slot stores, and back: split, then encrypted with the
 * key that the passphrase stands for, sectors numbered from 0.
 */
final class KeyMaterial {
  private final CipherSpec cipher;
  private final HashAlgorithm hash;

  KeyMaterial(CipherSpec cipher, HashAlgorithm hash) {
    this.cipher = cipher;
    this.hash = hash;
  }

  /** Returns what to store, as many bytes as the slot's material has. */
  byte[] lock(SecretBytes masterKey, LuksKeySlot slot, byte[] passphrase, SecureRandom random) {
    try (SecretBytes slotKey = slotKey(slot, passphrase);
        SecretBytes split = splitter(slot).split(masterKey, random);
        SecretBytes padded = padded(split.bytes());
        SectorCipher sectors = SectorCipher.of(cipher, slotKey)) {
      sectors.encrypt(0, ByteBuffer.wrap(padded.bytes()));
      return Arrays.copyOf(padded.bytes(), split.length());
    }
  }

  /** Returns the master key, if the passphrase is right; else as many bytes of nothing. */
  SecretBytes unlock(byte[] stored, LuksKeySlot slot, byte[] passphrase) {
    try (SecretBytes slotKey = slotKey(slot, passphrase);
        SecretBytes padded = padded(stored);
        SectorCipher sectors = SectorCipher.of(cipher, slotKey)) {
      sectors.decrypt(0, ByteBuffer.wrap(padded.bytes()));
      return splitter(slot).merge(padded, cipher.keyLength());
    }
  }

  private SecretBytes slotKey(LuksKeySlot slot, byte[] passphrase) {
    return new Pbkdf2(hash, slot.salt(), slot.iterations()).derive(passphrase, cipher.keyLength());
  }

  private AfSplitter splitter(LuksKeySlot slot) {
    return new AfSplitter(hash, slot.stripes());
  }

  /**
   * Stripes of 24 bytes end in the middle of a sector. In every mode the bytes before a point do
   * not depend on those behind it, so padding changes nothing.
   */
  private static SecretBytes padded(byte[] material) {
    int length = (int) Alignment.up(material.length, SECTOR_SIZE);
    return SecretBytes.owning(Arrays.copyOf(material, length));
  }
}
