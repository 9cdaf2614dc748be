// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse;

import io.blkmount.block.backend.BlockBackend;

/** One disk as a regular file. */
public final class Export {
  private final BlockBackend disk;

  Export(BlockBackend disk) {
    this.disk = disk;
  }

  /** Returns the disk behind the file. */
  public BlockBackend disk() {
    return disk;
  }
}
