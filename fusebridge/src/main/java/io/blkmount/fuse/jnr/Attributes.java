// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse.jnr;

import io.blkmount.fuse.FileAttributes;
import io.blkmount.fuse.FileSystemUsage;
import ru.serce.jnrfuse.struct.FileStat;
import ru.serce.jnrfuse.struct.Statvfs;
import ru.serce.jnrfuse.struct.Timespec;

/** Puts attributes into the structs of C. */
final class Attributes {
  private static final long NANOS_PER_SECOND = 1_000_000_000;

  private Attributes() {}

  static void put(FileAttributes source, FileStat target) {
    target.st_ino.set(source.inode());
    target.st_mode.set(source.mode());
    target.st_nlink.set(source.linkCount());
    target.st_uid.set(source.uid());
    target.st_gid.set(source.gid());
    target.st_size.set(source.size());
    target.st_blocks.set(source.blocks());
    target.st_blksize.set(source.blockSize());
    putTime(source.modifiedNanos(), target.st_atim);
    putTime(source.modifiedNanos(), target.st_mtim);
    putTime(source.modifiedNanos(), target.st_ctim);
  }

  static void put(FileSystemUsage source, Statvfs target) {
    target.f_bsize.set(FileSystemUsage.BLOCK_SIZE);
    target.f_frsize.set(FileSystemUsage.BLOCK_SIZE);
    target.f_blocks.set(source.blocks());
    target.f_bfree.set(source.freeBlocks());
    target.f_bavail.set(source.freeBlocks());
    target.f_files.set(source.files());
    target.f_ffree.set(0);
    target.f_favail.set(0);
    target.f_namemax.set(FileSystemUsage.LONGEST_NAME);
  }

  private static void putTime(long nanos, Timespec target) {
    target.tv_sec.set(Math.floorDiv(nanos, NANOS_PER_SECOND));
    target.tv_nsec.set(Math.floorMod(nanos, NANOS_PER_SECOND));
  }
}
