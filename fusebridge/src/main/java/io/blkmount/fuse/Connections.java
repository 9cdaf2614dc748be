// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/** The kernel's control files for FUSE mounts, where fusectl is mounted. */
final class Connections {
  private static final Path DIRECTORY = Path.of("/sys/fs/fuse/connections");

  private Connections() {}

  /**
   * Makes the kernel answer every request of a mount, also those of detached ones, with an error.
   *
   * @param device of the mount, such as {@code 0:45}
   * @return whether there is a control file for it
   */
  static boolean abort(String device) throws IOException {
    String minor = device.substring(device.indexOf(':') + 1);
    Path file = DIRECTORY.resolve(minor).resolve("abort");
    if (!Files.isWritable(file)) {
      return false;
    }
    Files.write(file, "1".getBytes(StandardCharsets.US_ASCII), StandardOpenOption.WRITE);
    return true;
  }
}
