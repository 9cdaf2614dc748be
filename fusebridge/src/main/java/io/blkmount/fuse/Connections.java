// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/**
 * The kernel's control files for FUSE mounts. Most hosts mount them at start; where nobody has,
 * root does it for the moment.
 */
final class Connections {
  private static final String DIRECTORY = "/sys/fs/fuse/connections";
  private static final String FILE_SYSTEM = "fusectl";

  private Connections() {}

  /**
   * Makes the kernel answer every request of a mount, also of a detached one, with an error.
   *
   * @param device of the mount, such as {@code 0:45}
   * @return whether that was possible
   */
  static boolean abort(String device) throws IOException {
    Path file = abortFile(device);
    if (Files.isWritable(file)) {
      write(file);
      return true;
    }
    return HostCalls.isRoot() && abortWithOwnMount(file);
  }

  private static boolean abortWithOwnMount(Path file) throws IOException {
    HostCalls.mount(FILE_SYSTEM, DIRECTORY);
    try {
      boolean possible = Files.isWritable(file);
      if (possible) {
        write(file);
      }
      return possible;
    } finally {
      HostCalls.unmount(DIRECTORY, 0);
    }
  }

  /** The directory of a mount is called by its minor device number. */
  private static Path abortFile(String device) {
    String minor = device.substring(device.indexOf(':') + 1);
    return Path.of(DIRECTORY, minor, "abort");
  }

  private static void write(Path file) throws IOException {
    Files.write(file, "1".getBytes(StandardCharsets.US_ASCII), StandardOpenOption.WRITE);
  }
}
