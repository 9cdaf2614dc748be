// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.crypto;

import java.nio.ByteBuffer;

/** Does the work of a {@link SectorCipher} for one thread. */
interface SectorWorker extends AutoCloseable {
  /** Encrypts all of {@code source}, as {@link SectorCipher#encrypt} does. */
  void encrypt(long firstSector, ByteBuffer source, ByteBuffer target);

  /** Decrypts all of {@code source}, as {@link SectorCipher#decrypt} does. */
  void decrypt(long firstSector, ByteBuffer source, ByteBuffer target);

  /** Forgets the keys. */
  @Override
  void close();
}
