// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.bytes.HostName;
import io.blkmount.block.driver.ChildOpener;
import io.blkmount.block.driver.Preallocation;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import java.io.IOException;
import org.jspecify.annotations.Nullable;

/**
 * The external data file of a new image: as long as the disk.
 *
 * @param file opened for writing
 */
record NewDataFile(ChildOpener.Child file) {
  /**
   * Makes and opens the file that the options name.
   *
   * @param length of the disk in bytes
   * @param imageName for messages
   * @return null if they name none
   * @throws BlockException {@code NO_SPACE} for a device that is too short
   */
  static @Nullable NewDataFile open(
      ChildOpener children, @Nullable String name, long length, String imageName)
      throws IOException {
    if (name == null) {
      return null;
    }
    ChildOpener.Child file = children.openData(name);
    if (!file.support().growable() && file.length() < length) {
      throw new BlockException(
          BlockError.NO_SPACE,
          String.format(
              "cannot create qcow2 image \"%s\": the data file needs %d bytes, there are %d",
              HostName.printable(imageName), length, file.length()));
    }
    return new NewDataFile(file);
  }

  /** Makes the file as many zeros as the disk is long, durably; a device keeps its own. */
  void fit(long length) throws IOException {
    if (file.support().growable()) {
      file.truncate(0, Preallocation.OFF);
      file.truncate(length, Preallocation.OFF);
    }
    file.flush();
  }
}
