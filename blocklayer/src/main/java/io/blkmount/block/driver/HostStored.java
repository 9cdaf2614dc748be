// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.driver;

import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import java.io.IOException;
import org.jspecify.annotations.Nullable;

/** An instance whose bytes are one host file or device. */
public interface HostStored {
  /** Returns which file it is, whatever name it was opened by. */
  FileKey fileKey();

  /**
   * Returns when the host file was last modified, in nanoseconds since 1970.
   *
   * @throws IOException if the host does not answer
   */
  long modifiedNanos() throws IOException;

  /**
   * Lets the kernel read and write the file by itself. From then on nothing about it is remembered:
   * its length and its holes are asked anew each time.
   *
   * @return the open descriptor, which stays this instance's
   * @throws IOException if the file is closed, or opened in a way that does not go together with it
   */
  default int lend() throws IOException {
    throw new BlockException(BlockError.NOT_SUPPORTED, "it is not lent");
  }

  /** Returns whether {@link #lend} was called. */
  default boolean isLent() {
    return false;
  }

  /**
   * Device and inode of a host file.
   *
   * @param device st_dev, or st_rdev for a device node
   * @param inode st_ino, or -1 for a device node
   */
  record FileKey(long device, long inode) {
    // Written out because every open uses them, and what the compiler makes of a record is put
    // together at run time: milliseconds of each start.

    @Override
    public boolean equals(@Nullable Object other) {
      return other instanceof FileKey key && key.device == device && key.inode == inode;
    }

    @Override
    public int hashCode() {
      return Long.hashCode(device) * 31 + Long.hashCode(inode);
    }
  }
}
