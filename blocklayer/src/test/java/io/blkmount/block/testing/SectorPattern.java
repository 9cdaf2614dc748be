// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.testing;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.zip.CRC32C;

/**
 * 512-byte sectors that say which sector of the disk they are and who wrote them.
 *
 * <pre>
 *  0        8        16           24      28            512
 *  | magic  | sector | generation | crc32c | one byte ... |
 * </pre>
 */
public final class SectorPattern {
  /** What a sector of zeros is read as. */
  public static final long ZERO = 0;

  /** What is read where the bytes are garbage, or belong to another sector. */
  public static final long FOREIGN = -1;

  /** Length of a sector in bytes. */
  public static final int SECTOR = 512;

  private static final long MAGIC = 0x424c4b4d4f554e54L;
  private static final int FILL = 28;
  private static final byte[] ZEROES = new byte[SECTOR];
  private static final byte[][] FILLS = new byte[256][SECTOR - FILL];

  static {
    for (int i = 0; i < FILLS.length; i++) {
      Arrays.fill(FILLS[i], (byte) i);
    }
  }

  private SectorPattern() {}

  /**
   * Returns {@code count} sectors.
   *
   * @param sector number of the first
   * @param count how many
   * @param generation above 0; who writes them
   */
  public static ByteBuffer sectors(long sector, int count, long generation) {
    ByteBuffer buffer = ByteBuffer.allocateDirect(count * SECTOR);
    for (int i = 0; i < count; i++) {
      buffer.put(one(sector + i, generation));
    }
    return buffer.flip();
  }

  private static byte[] one(long sector, long generation) {
    byte[] bytes = new byte[SECTOR];
    ByteBuffer.wrap(bytes).putLong(MAGIC).putLong(sector).putLong(generation).putInt(crc(bytes));
    Arrays.fill(bytes, FILL, SECTOR, fill(sector, generation));
    return bytes;
  }

  private static int crc(byte[] bytes) {
    CRC32C crc = new CRC32C();
    crc.update(bytes, 0, 24);
    return (int) crc.getValue();
  }

  private static byte fill(long sector, long generation) {
    return (byte) (sector * 7 + generation * 13);
  }

  /**
   * Returns who wrote a sector: its generation, {@link #ZERO} or {@link #FOREIGN}.
   *
   * @param bytes 512 of them
   * @param sector where they were read
   */
  public static long generation(byte[] bytes, long sector) {
    ByteBuffer buffer = ByteBuffer.wrap(bytes);
    if (buffer.getLong(0) == 0) {
      return Arrays.equals(bytes, ZEROES) ? ZERO : FOREIGN;
    }
    long generation = buffer.getLong(16);
    byte[] fill = FILLS[fill(sector, generation) & 0xff];
    boolean sound =
        buffer.getLong(0) == MAGIC
            && buffer.getLong(8) == sector
            && generation > 0
            && Arrays.equals(bytes, FILL, SECTOR, fill, 0, fill.length)
            && buffer.getInt(24) == crc(bytes);
    return sound ? generation : FOREIGN;
  }
}
