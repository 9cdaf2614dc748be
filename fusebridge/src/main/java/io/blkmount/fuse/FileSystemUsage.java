// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse;

import io.blkmount.block.backend.BlockBackend;
import java.io.IOException;

/**
 * What statfs(2) shows of a mount: how large its disks are and how much of that the host has not
 * had to store yet.
 *
 * @param blocks all disks together, in units of {@link #BLOCK_SIZE}
 * @param freeBlocks what of it takes no space in the host
 * @param files number of inodes
 */
public record FileSystemUsage(long blocks, long freeBlocks, long files) {
  /** f_bsize and f_frsize in bytes. */
  public static final int BLOCK_SIZE = 4096;

  /** f_namemax in bytes. */
  public static final int LONGEST_NAME = 255;

  /**
   * Returns the usage as it is now.
   *
   * @param tree what is mounted
   * @throws IOException if a disk's length or space cannot be found out
   */
  public static FileSystemUsage of(ExportTree tree) throws IOException {
    long blocks = 0;
    long used = 0;
    for (Export export : tree.exports()) {
      BlockBackend disk = export.disk();
      long diskBlocks = ceilDiv(disk.length());
      blocks += diskBlocks;
      used += Math.min(diskBlocks, ceilDiv(disk.allocatedBytes()));
    }
    return new FileSystemUsage(blocks, blocks - used, 1L + tree.files().size());
  }

  private static long ceilDiv(long bytes) {
    return (bytes + BLOCK_SIZE - 1) / BLOCK_SIZE;
  }
}
