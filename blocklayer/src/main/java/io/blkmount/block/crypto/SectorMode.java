// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.crypto;

/** A mode of operation on at most {@link JavaWorker#CHUNK} bytes; for one thread. */
interface SectorMode extends AutoCloseable {
  /**
   * Encrypts whole sectors from the start of {@code source} to the start of {@code target}.
   *
   * @param source may be changed on the way
   * @param target another array
   * @param length in bytes, a multiple of 512
   * @param firstSector number of the first
   */
  void encrypt(byte[] source, byte[] target, int length, long firstSector);

  /** Decrypts; everything else is as for {@link #encrypt}. */
  void decrypt(byte[] source, byte[] target, int length, long firstSector);

  /** Forgets the keys. */
  @Override
  void close();
}
