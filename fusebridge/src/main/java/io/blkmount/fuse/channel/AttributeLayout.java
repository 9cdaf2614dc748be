// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse.channel;

import io.blkmount.fuse.FileAttributes;
import io.blkmount.fuse.FileSystemUsage;

/**
 * Puts attributes into a reply.
 *
 * <pre>
 *   fuse_attr       0  8 inode    8  8 size    16  8 blocks
 *                  24  8 atime   32  8 mtime   40  8 ctime
 *                  48  4 their nanoseconds, each
 *                  60  4 mode    64  4 links   68  4 uid    72  4 gid
 *                  76  4 device  80  4 block size           84  4 flags         88  end
 *   fuse_attr_out   0  8 valid for seconds      8  4 and nanoseconds   16  fuse_attr
 *   fuse_entry_out  0  8 inode    8  8 generation
 *                  16  8 name valid for seconds               24  8 attributes valid for seconds
 *                  32  4 and nanoseconds, each                40  fuse_attr    128  end
 *   fuse_kstatfs    0  8 blocks   8  8 free    16  8 available    24  8 files  32  8 free files
 *                  40  4 block size            44  4 longest name  48  4 fragment size   80  end
 * </pre>
 */
final class AttributeLayout {
  static final int ENTRY = 128;

  private static final int ATTRIBUTES = 88;
  private static final int ATTRIBUTES_REPLY = 16 + ATTRIBUTES;
  private static final int USAGE = 80;

  private static final long NANOS_PER_SECOND = 1_000_000_000;

  /** Our own changes make the kernel ask again at once; this is for those of others. */
  private static final long ATTRIBUTES_VALID_SECONDS = 1;

  /** A tree never changes. */
  private static final long NAME_VALID_SECONDS = 3600;

  private AttributeLayout() {}

  static void reply(FileAttributes attributes, FuseReply reply) {
    reply.clear(ATTRIBUTES_REPLY).putLong(0, ATTRIBUTES_VALID_SECONDS);
    put(attributes, reply, 16);
    reply.data(ATTRIBUTES_REPLY);
  }

  static void replyEntry(FileAttributes attributes, FuseReply reply) {
    reply.clear(ENTRY);
    putEntry(attributes, reply, 0);
    reply.data(ENTRY);
  }

  /** Fills 128 bytes of zeros. */
  static void putEntry(FileAttributes attributes, FuseReply reply, int offset) {
    reply
        .putLong(offset, attributes.inode())
        .putLong(offset + 16, NAME_VALID_SECONDS)
        .putLong(offset + 24, ATTRIBUTES_VALID_SECONDS);
    put(attributes, reply, offset + 40);
  }

  static void reply(FileSystemUsage usage, FuseReply reply) {
    reply
        .clear(USAGE)
        .putLong(0, usage.blocks())
        .putLong(8, usage.freeBlocks())
        .putLong(16, usage.freeBlocks())
        .putLong(24, usage.files())
        .putInt(40, FileSystemUsage.BLOCK_SIZE)
        .putInt(44, FileSystemUsage.LONGEST_NAME)
        .putInt(48, FileSystemUsage.BLOCK_SIZE)
        .data(USAGE);
  }

  private static void put(FileAttributes attributes, FuseReply reply, int offset) {
    long seconds = Math.floorDiv(attributes.modifiedNanos(), NANOS_PER_SECOND);
    int nanos = (int) Math.floorMod(attributes.modifiedNanos(), NANOS_PER_SECOND);
    reply
        .putLong(offset, attributes.inode())
        .putLong(offset + 8, attributes.size())
        .putLong(offset + 16, attributes.blocks())
        .putLong(offset + 24, seconds)
        .putLong(offset + 32, seconds)
        .putLong(offset + 40, seconds)
        .putInt(offset + 48, nanos)
        .putInt(offset + 52, nanos)
        .putInt(offset + 56, nanos)
        .putInt(offset + 60, attributes.mode())
        .putInt(offset + 64, attributes.linkCount())
        .putInt(offset + 68, attributes.uid())
        .putInt(offset + 72, attributes.gid())
        .putInt(offset + 80, attributes.blockSize());
  }
}
