// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.crypto;

import static io.blkmount.block.crypto.AesBlocks.BLOCK;
import static io.blkmount.block.crypto.SectorCipher.SECTOR_SIZE;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/** Makes initialisation vectors of 16 bytes from sector numbers; for one thread. */
final class SectorIvs implements AutoCloseable {
  private static final int MAX_COUNT = JavaWorker.CHUNK / SECTOR_SIZE;
  private static final long LOW_HALF = 0xffffffffL;

  private final long mask;

  /** Encrypts the numbers of an ESSIV generator, null for the others. */
  private final @Nullable AesBlocks essiv;

  private final byte[] numbers = new byte[MAX_COUNT * BLOCK];
  private final byte[] ivs = new byte[MAX_COUNT * BLOCK];

  private SectorIvs(long mask, @Nullable AesBlocks essiv) {
    this.mask = mask;
    this.essiv = essiv;
  }

  static SectorIvs of(CipherSpec spec, SecretBytes key) {
    long mask = spec.ivGenerator() == IvGenerator.PLAIN ? LOW_HALF : -1;
    HashAlgorithm hash = spec.ivHash();
    if (hash == null) {
      return new SectorIvs(mask, null);
    }
    try (SecretBytes salt = SecretBytes.owning(hash.newDigest().digest(key.bytes()))) {
      return new SectorIvs(mask, AesBlocks.each(salt));
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
      Words.putLittle(numbers, i * BLOCK, (firstSector + i) & mask);
    }
    if (essiv == null) {
      return numbers;
    }
    essiv.encrypt(numbers, ivs, 0, count * BLOCK);
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
