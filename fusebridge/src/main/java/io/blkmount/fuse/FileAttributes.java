// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse;

import io.blkmount.block.backend.BlockBackend;
import java.io.IOException;

/**
 * What stat(2) shows of one entry.
 *
 * @param inode st_ino
 * @param mode st_mode, type and permissions
 * @param linkCount st_nlink
 * @param uid st_uid
 * @param gid st_gid
 * @param size st_size in bytes
 * @param blocks st_blocks, in units of 512 bytes
 * @param blockSize st_blksize in bytes
 * @param modifiedNanos st_mtime and st_ctime, in nanoseconds since 1970
 */
public record FileAttributes(
    long inode,
    int mode,
    int linkCount,
    int uid,
    int gid,
    long size,
    long blocks,
    int blockSize,
    long modifiedNanos) {
  /** S_IFDIR. */
  public static final int DIRECTORY_TYPE = 0040000;

  /** S_IFREG. */
  public static final int FILE_TYPE = 0100000;

  private static final int BLOCK = 512;
  private static final int SMALLEST_BLOCK_SIZE = 4096;

  /**
   * Returns the attributes of an entry as they are now.
   *
   * @param entry of a tree
   * @param options owner, permissions, read-only
   * @param mountedNanos when the mount came to be, in nanoseconds since 1970; a directory shows it
   * @throws IOException if the disk's length, space or time cannot be found out
   */
  public static FileAttributes of(ExportTree.Entry entry, MountOptions options, long mountedNanos)
      throws IOException {
    Export export = entry.export();
    return export == null
        ? ofDirectory(entry, options, mountedNanos)
        : ofFile(entry, export.disk(), options);
  }

  private static FileAttributes ofDirectory(
      ExportTree.Entry entry, MountOptions options, long mountedNanos) {
    int mode = DIRECTORY_TYPE | directoryPermissions(options);
    return new FileAttributes(
        entry.inode(),
        mode,
        2,
        options.uid(),
        options.gid(),
        0,
        0,
        SMALLEST_BLOCK_SIZE,
        mountedNanos);
  }

  private static FileAttributes ofFile(
      ExportTree.Entry entry, BlockBackend disk, MountOptions options) throws IOException {
    boolean writable = disk.writable() && !options.readOnly();
    return new FileAttributes(
        entry.inode(),
        FILE_TYPE | filePermissions(options, writable),
        1,
        options.uid(),
        options.gid(),
        disk.length(),
        (disk.allocatedBytes() + BLOCK - 1) / BLOCK,
        Math.max(SMALLEST_BLOCK_SIZE, disk.clusterSize()),
        disk.modifiedNanos());
  }

  /** Nothing can be made, removed or renamed in it, so nobody gets write permission. */
  private static int directoryPermissions(MountOptions options) {
    return options.umask() == MountOptions.NO_UMASK ? 0500 : 0555 & ~options.umask();
  }

  private static int filePermissions(MountOptions options, boolean writable) {
    int all = writable ? 0666 : 0444;
    return options.umask() == MountOptions.NO_UMASK ? all & 0600 : all & ~options.umask();
  }
}
