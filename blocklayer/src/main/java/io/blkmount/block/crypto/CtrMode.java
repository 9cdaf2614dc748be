// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.crypto;

import static io.blkmount.block.crypto.SectorCipher.SECTOR_SIZE;

import java.util.Arrays;

/** A key stream made by encrypting a big-endian counter that starts at the sector's IV. */
final class CtrMode implements SectorMode {
  /** Length of a block in bytes. */
  private final int block;

  private final KeyedBlocks blocks;
  private final SectorIvs ivs;
  private final byte[] counters = new byte[JavaWorker.CHUNK];

  CtrMode(CipherAlgorithm algorithm, SecretBytes key, SectorIvs ivs) {
    this.block = algorithm.blockLength();
    this.blocks = KeyedBlocks.each(algorithm, key);
    this.ivs = ivs;
  }

  @Override
  public void encrypt(byte[] source, byte[] target, int length, long firstSector) {
    byte[] vectors = ivs.of(firstSector, length / SECTOR_SIZE);
    for (int at = 0; at < length; at += SECTOR_SIZE) {
      count(at, vectors, at / SECTOR_SIZE * block);
    }
    blocks.encrypt(counters, target, 0, length);
    Words.xor(target, 0, source, 0, length);
  }

  /** In a block of 8 bytes the low half is all that remains: it is put last. */
  private void count(int offset, byte[] vectors, int vector) {
    long high = Words.big(vectors, vector);
    long low = Words.big(vectors, vector + block - Long.BYTES);
    for (int at = offset; at < offset + SECTOR_SIZE; at += block) {
      Words.putBig(counters, at, high);
      Words.putBig(counters, at + block - Long.BYTES, low);
      low++;
      high += low == 0 ? 1 : 0;
    }
  }

  /** The same: mixing the stream in again takes it out. */
  @Override
  public void decrypt(byte[] source, byte[] target, int length, long firstSector) {
    encrypt(source, target, length, firstSector);
  }

  @Override
  public void close() {
    blocks.close();
    ivs.close();
    Arrays.fill(counters, (byte) 0);
  }
}
