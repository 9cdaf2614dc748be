// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.crypto;

import static io.blkmount.block.crypto.SectorCipher.SECTOR_SIZE;

import java.util.Arrays;

/**
 * XTS as IEEE 1619 has it: the IV, encrypted with the second half of the key, is the tweak of a
 * sector's first block; each further block's is the one before times x in GF(2^128). A block is
 * mixed with its tweak before and after the cipher with the first half of the key.
 */
final class XtsMode implements SectorMode {
  /** Length of a block in bytes; the polynomial is for no other. */
  static final int BLOCK = 16;

  /** What x^128 leaves modulo x^128 + x^7 + x^2 + x + 1. */
  private static final long POLYNOMIAL = 0x87;

  private final KeyedBlocks data;
  private final KeyedBlocks tweak;
  private final SectorIvs ivs;
  private final byte[] seeds = new byte[JavaWorker.CHUNK / SECTOR_SIZE * BLOCK];
  private final byte[] tweaks = new byte[JavaWorker.CHUNK];

  private XtsMode(KeyedBlocks data, KeyedBlocks tweak, SectorIvs ivs) {
    this.data = data;
    this.tweak = tweak;
    this.ivs = ivs;
  }

  static XtsMode of(CipherAlgorithm algorithm, SecretBytes key, SectorIvs ivs) {
    int half = key.length() / 2;
    try (SecretBytes first = SecretBytes.owning(Arrays.copyOfRange(key.bytes(), 0, half));
        SecretBytes second =
            SecretBytes.owning(Arrays.copyOfRange(key.bytes(), half, key.length()))) {
      return new XtsMode(
          KeyedBlocks.each(algorithm, first), KeyedBlocks.each(algorithm, second), ivs);
    }
  }

  @Override
  public void encrypt(byte[] source, byte[] target, int length, long firstSector) {
    makeTweaks(firstSector, length / SECTOR_SIZE);
    Words.xor(source, 0, tweaks, 0, length);
    data.encrypt(source, target, 0, length);
    Words.xor(target, 0, tweaks, 0, length);
  }

  @Override
  public void decrypt(byte[] source, byte[] target, int length, long firstSector) {
    makeTweaks(firstSector, length / SECTOR_SIZE);
    Words.xor(source, 0, tweaks, 0, length);
    data.decrypt(source, target, 0, length);
    Words.xor(target, 0, tweaks, 0, length);
  }

  private void makeTweaks(long firstSector, int count) {
    tweak.encrypt(ivs.of(firstSector, count), seeds, 0, count * BLOCK);
    for (int i = 0; i < count; i++) {
      long low = Words.little(seeds, i * BLOCK);
      long high = Words.little(seeds, i * BLOCK + Long.BYTES);
      makeTweaks(i * SECTOR_SIZE, low, high);
    }
  }

  private void makeTweaks(int offset, long first, long second) {
    long low = first;
    long high = second;
    for (int at = offset; at < offset + SECTOR_SIZE; at += BLOCK) {
      Words.putLittle(tweaks, at, low);
      Words.putLittle(tweaks, at + Long.BYTES, high);
      long carry = high >> 63;
      high = (high << 1) | (low >>> 63);
      low = (low << 1) ^ (carry & POLYNOMIAL);
    }
  }

  @Override
  public void close() {
    data.close();
    tweak.close();
    ivs.close();
    Arrays.fill(seeds, (byte) 0);
    Arrays.fill(tweaks, (byte) 0);
  }
}
