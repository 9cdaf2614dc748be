// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.crypto;

import java.nio.ByteBuffer;

/**
 * Encrypts and decrypts sectors of 512 bytes, each by its number. Any number of threads may use one
 * at the same time.
 */
public interface SectorCipher extends AutoCloseable {
  /** Bytes that share one initialisation vector, whatever the disk calls a sector. */
  int SECTOR_SIZE = 512;

  /**
   * Returns a cipher made of the host's libcrypto if it is there and has it, else of one in Java,
   * which is slow where only the first compiler is on.
   *
   * @param spec which
   * @param key of {@code spec.keyLength()} bytes; copied, so the caller may close it
   */
  static SectorCipher of(CipherSpec spec, SecretBytes key) {
    return new PooledSectorCipher(
        spec, key, NativeWorker.serves(spec, key) ? NativeWorker::of : JavaWorker::of);
  }

  /**
   * Encrypts all of {@code source}. Both buffers are left at their ends.
   *
   * @param firstSector number of the first sector, not negative
   * @param source whole sectors, from position to limit
   * @param target room for as much; the same memory from the same byte on, or apart from it
   * @throws IllegalStateException if the cipher is closed
   */
  void encrypt(long firstSector, ByteBuffer source, ByteBuffer target);

  /**
   * Decrypts all of {@code source}. Both buffers are left at their ends.
   *
   * @param firstSector number of the first sector, not negative
   * @param source whole sectors, from position to limit
   * @param target room for as much; the same memory from the same byte on, or apart from it
   * @throws IllegalStateException if the cipher is closed
   */
  void decrypt(long firstSector, ByteBuffer source, ByteBuffer target);

  /**
   * Encrypts a buffer in place and leaves it at its end.
   *
   * @param firstSector number of the first sector, not negative
   * @param sectors whole sectors, from position to limit
   */
  default void encrypt(long firstSector, ByteBuffer sectors) {
    encrypt(firstSector, sectors.duplicate(), sectors);
  }

  /**
   * Decrypts a buffer in place and leaves it at its end.
   *
   * @param firstSector number of the first sector, not negative
   * @param sectors whole sectors, from position to limit
   */
  default void decrypt(long firstSector, ByteBuffer sectors) {
    decrypt(firstSector, sectors.duplicate(), sectors);
  }

  /** Wipes the keys; what runs in other threads still ends well. */
  @Override
  void close();
}
