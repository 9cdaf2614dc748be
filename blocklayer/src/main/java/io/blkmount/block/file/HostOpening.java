// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.file;

import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import io.blkmount.block.file.FileStatus.Type;
import java.io.IOException;

/** From a name to an open host file: what kind of file it is decides how it is opened. */
final class HostOpening {
  private HostOpening() {}

  /**
   * Opens a regular file or block device.
   *
   * @param options what with
   * @throws IOException if it is neither, or the host refuses
   */
  static HostFile open(HostFileOptions options) throws IOException {
    // Asked before the open: to open a device or a pipe may already do something.
    Type type = PosixFile.statusOf(options.hostName(), options.shownName()).type();
    requireStorage(type, options);
    int flags = options.writable() ? LibC.O_RDWR : LibC.O_RDONLY;
    PosixFile file = PosixFile.open(options.hostName(), options.shownName(), flags, 0);
    return new HostFile(file, file.status(), options.writable());
  }

  private static void requireStorage(Type type, HostFileOptions options) throws BlockException {
    if (type == Type.REGULAR || type == Type.BLOCK_DEVICE) {
      return;
    }
    boolean directory = type == Type.DIRECTORY;
    throw new BlockException(
        directory ? BlockError.IS_DIRECTORY : BlockError.INVALID,
        "cannot open "
            + PosixFile.quoted(options.shownName())
            + ": is "
            + type.text()
            + (directory ? "" : ", not a regular file or block device"));
  }
}
