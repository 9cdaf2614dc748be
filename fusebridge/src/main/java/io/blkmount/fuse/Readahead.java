// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/** How far the kernel reads ahead in the files of a mount, which only root may say. */
final class Readahead {
  private static final System.Logger LOG = System.getLogger(Readahead.class.getName());

  /** One request of the largest size; the kernel's own default is an eighth of that. */
  private static final byte[] KIBIBYTES = "1024".getBytes(StandardCharsets.US_ASCII);

  private Readahead() {}

  /**
   * Widens it.
   *
   * @param device of the mount, such as {@code 0:45}
   */
  static void widen(String device) {
    Path setting = Path.of("/sys/class/bdi", device, "read_ahead_kb");
    try {
      Files.write(setting, KIBIBYTES, StandardOpenOption.WRITE);
    } catch (IOException e) {
      LOG.log(System.Logger.Level.DEBUG, "readahead stays as it is: {0}", e.getMessage());
    }
  }
}
