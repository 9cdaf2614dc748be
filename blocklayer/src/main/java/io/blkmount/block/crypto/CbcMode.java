// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.crypto;

import static io.blkmount.block.crypto.SectorCipher.SECTOR_SIZE;

import java.util.Arrays;

/** Cipher block chaining, started anew in each sector with its IV. */
final class CbcMode implements SectorMode {
  /** Length of a block in bytes. */
  private final int block;

  private final KeyedBlocks blocks;
  private final SectorIvs ivs;

  /** What the running chain would mix into the next block: the last one that it gave. */
  private final byte[] chain;

  CbcMode(CipherAlgorithm algorithm, SecretBytes key, SectorIvs ivs) {
    this.block = algorithm.blockLength();
    this.chain = new byte[block];
    this.blocks = KeyedBlocks.chained(algorithm, key);
    this.ivs = ivs;
  }

  /**
   * One chain runs over all sectors; mixing its last block into the first of each sector takes it
   * out again and leaves the IV.
   */
  @Override
  public void encrypt(byte[] source, byte[] target, int length, long firstSector) {
    byte[] vectors = ivs.of(firstSector, length / SECTOR_SIZE);
    for (int at = 0; at < length; at += SECTOR_SIZE) {
      Words.xor(source, at, vectors, at / SECTOR_SIZE * block, block);
      Words.xor(source, at, chain, 0, block);
      blocks.encrypt(source, target, at, SECTOR_SIZE);
      System.arraycopy(target, at + SECTOR_SIZE - block, chain, 0, block);
    }
  }

  @Override
  public void decrypt(byte[] source, byte[] target, int length, long firstSector) {
    byte[] vectors = ivs.of(firstSector, length / SECTOR_SIZE);
    blocks.decrypt(source, target, 0, length);
    for (int at = 0; at < length; at += SECTOR_SIZE) {
      Words.xor(target, at, vectors, at / SECTOR_SIZE * block, block);
      Words.xor(target, at + block, source, at, SECTOR_SIZE - block);
    }
  }

  @Override
  public void close() {
    blocks.close();
    ivs.close();
    Arrays.fill(chain, (byte) 0);
  }
}
