// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.driver;

import java.io.IOException;

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
   * Device and inode of a host file.
   *
   * @param device st_dev, or st_rdev for a device node
   * @param inode st_ino, or -1 for a device node
   */
  record FileKey(long device, long inode) {}
}
