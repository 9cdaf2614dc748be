// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.crypto;

import io.blkmount.block.bytes.ByteRange;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * One of the eight records from which a passphrase opens the master key.
 *
 * <pre>
 *  0 active     4 iterations     8 salt[32]     40 key-material-offset     44 stripes
 * </pre>
 *
 * @param isActive whether a passphrase opens it
 * @param iterations of the key derivation; 0 in a slot that is not in use
 * @param salt of the key derivation, 32 bytes
 * @param materialSector where the split key lies, in sectors of 512 bytes from the header's start
 * @param stripes over which the key is split, always 4000
 */
public record LuksKeySlot(
    boolean isActive, int iterations, FixedBytes salt, long materialSector, int stripes) {
  static final int LENGTH = 48;
  static final int ACTIVE = 0x00ac71f3;
  static final int INACTIVE = 0x0000dead;
  static final int ITERATIONS_AT = 4;
  static final int SALT_AT = 8;
  static final int MATERIAL_AT = 40;
  static final int STRIPES_AT = 44;

  /** The only number that cryptsetup and QEMU write, and that they take. */
  static final int STRIPES = 4000;

  /** Returns a slot that waits for a passphrase. */
  static LuksKeySlot free(long materialSector) {
    FixedBytes salt = FixedBytes.zeros(LuksHeader.SALT_LENGTH);
    return new LuksKeySlot(false, 0, salt, materialSector, STRIPES);
  }

  /** Returns this slot with a passphrase. */
  LuksKeySlot activated(int newIterations, FixedBytes newSalt) {
    return new LuksKeySlot(true, newIterations, newSalt, materialSector, stripes);
  }

  /** Returns this slot without a passphrase. */
  LuksKeySlot erased() {
    return free(materialSector);
  }

  /** Returns where the split key lies, in bytes from the header's start. */
  ByteRange material(int keyLength) {
    return new ByteRange(materialSector * SectorCipher.SECTOR_SIZE, (long) keyLength * stripes);
  }

  /** Returns the record, {@link #LENGTH} bytes from position to limit. */
  ByteBuffer encoded() {
    ByteBuffer bytes = ByteBuffer.allocate(LENGTH).order(ByteOrder.BIG_ENDIAN);
    bytes.putInt(isActive ? ACTIVE : INACTIVE).putInt(iterations).put(salt.toArray());
    return bytes.putInt((int) materialSector).putInt(stripes).flip();
  }
}
