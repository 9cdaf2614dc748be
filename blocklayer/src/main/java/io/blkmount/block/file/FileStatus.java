// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.file;

import io.blkmount.block.driver.HostStored.FileKey;
import java.nio.ByteBuffer;

/**
 * What statx(2) says of a file.
 *
 * <pre>
 * struct statx   28 u16 mode    32 u64 inode   40 u64 size   48 u64 blocks of 512 bytes
 *               112 s64 mtime seconds  120 u32 nanoseconds  128 u32 rdev major, minor
 *               136 u32 dev major, minor  152 u32 direct I/O memory, offset alignment
 * </pre>
 *
 * @param type what kind of file
 * @param length in bytes; 0 for devices
 * @param allocatedBytes st_blocks times 512
 * @param modifiedNanos since 1970
 * @param key device and inode, st_rdev for a device
 * @param directMemoryAlignment for O_DIRECT; 0 for no O_DIRECT, -1 if the kernel does not say
 * @param directOffsetAlignment likewise
 */
record FileStatus(
    Type type,
    long length,
    long allocatedBytes,
    long modifiedNanos,
    FileKey key,
    int directMemoryAlignment,
    int directOffsetAlignment) {
  /** The unit of st_blocks, and the smallest block of O_DIRECT. */
  static final int SECTOR = 512;

  /** Bytes of a struct statx. */
  static final int BYTES = 256;

  /** The kinds of file that matter here. */
  enum Type {
    REGULAR("a regular file"),
    BLOCK_DEVICE("a block device"),
    CHARACTER_DEVICE("a character device"),
    DIRECTORY("a directory"),
    FIFO("a named pipe"),
    SOCKET("a socket"),
    SYMBOLIC_LINK("a symbolic link"),
    OTHER("neither a regular file nor a block device");

    private final String text;

    Type(String text) {
      this.text = text;
    }

    String text() {
      return text;
    }

    private static Type ofMode(int mode) {
      return switch (mode >> 12) {
        case 8 -> REGULAR;
        case 6 -> BLOCK_DEVICE;
        case 2 -> CHARACTER_DEVICE;
        case 4 -> DIRECTORY;
        case 1 -> FIFO;
        case 12 -> SOCKET;
        case 10 -> SYMBOLIC_LINK;
        default -> OTHER;
      };
    }
  }

  /**
   * Decodes a struct statx.
   *
   * @param statx in native byte order
   */
  static FileStatus decode(ByteBuffer statx) {
    Type type = Type.ofMode(statx.getShort(28) & 0xffff);
    boolean saysDirect = (statx.getInt(0) & LibC.STATX_DIOALIGN) != 0;
    return new FileStatus(
        type,
        statx.getLong(40),
        statx.getLong(48) * SECTOR,
        statx.getLong(112) * 1_000_000_000L + statx.getInt(120),
        type == Type.BLOCK_DEVICE
            ? new FileKey(deviceNumber(statx, 128), -1)
            : new FileKey(deviceNumber(statx, 136), statx.getLong(32)),
        saysDirect ? statx.getInt(152) : -1,
        saysDirect ? statx.getInt(156) : -1);
  }

  /** Puts major and minor together as the C library's makedev does. */
  private static long deviceNumber(ByteBuffer statx, int position) {
    long major = statx.getInt(position) & 0xffffffffL;
    long minor = statx.getInt(position + 4) & 0xffffffffL;
    return (major & 0xfff) << 8
        | (major & 0xfffff000L) << 32
        | (minor & 0xff)
        | (minor & 0xffffff00L) << 12;
  }
}
