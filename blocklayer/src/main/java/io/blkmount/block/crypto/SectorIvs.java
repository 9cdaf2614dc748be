// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.crypto;

import static io.blkmount.block.crypto.SectorCipher.SECTOR_SIZE;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/** Makes initialisation vectors of a block's length from sector numbers; for one thread. */
final class SectorIvs implements AutoCloseable {
  private static final int MAX_COUNT = JavaWorker.CHUNK / SECTOR_SIZE;
  private static final long LOW_HALF = 0xffffffffL;

  private final long mask;

  /** Encrypts the numbers of an ESSIV generator, null for the others. */
  private final @Nullable KeyedBlocks essiv;

  /** Length of a block in bytes. */
  private final int block;

  private final byte[] numbers;
  private final byte[] ivs;

  private SectorIvs(int block, long mask, @Nullable KeyedBlocks essiv) {
    this.block = block;
    this.numbers = new byte[MAX_COUNT * block];
    this.ivs = new byte[MAX_COUNT * block];
    this.mask = mask;
    this.essiv = essiv;
  }

  static SectorIvs of(CipherSpec spec, SecretBytes key) {
    int block = spec.algorithm().blockLength();
    long mask = spec.ivGenerator() == IvGenerator.PLAIN ? LOW_HALF : -1;
    HashAlgorithm hash = spec.ivHash();
    if (hash == null) {
      return new SectorIvs(block, mask, null);
    }
    try (SecretBytes salt = SecretBytes.owning(hash.newDigest().digest(key.bytes()))) {
      return new SectorIvs(block, mask, KeyedBlocks.each(spec.algorithm(), salt));
    }
  }

  /**
   * Returns the vectors of consecutive sectors behind each other.
   *
   * @param firstSector number of the first
   * @param count at most as many as a chunk has
   * @return valid until the next call
   */
  byte[] of(long firstSector, int count) {
    for (int i = 0; i < count; i++) {
      Words.putLittle(numbers, i * block, (firstSector + i) & mask);
    }
    if (essiv == null) {
      return numbers;
    }
    essiv.encrypt(numbers, ivs, 0, count * block);
    return ivs;
  }

  @Override
  public void close() {
    if (essiv != null) {
      essiv.close();
    }
    Arrays.fill(ivs, (byte) 0);
  }
}
