// SPDX-License-Identifier: Apache-2.0
package io.blkmount.cli;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Whose process this is.
 *
 * @param uid effective user id
 * @param gid effective group id
 */
record ProcessUser(int uid, int gid) {
  static ProcessUser current() {
    Path self = Path.of("/proc/self");
    try {
      return new ProcessUser(
          (int) Files.getAttribute(self, "unix:uid"), (int) Files.getAttribute(self, "unix:gid"));
    } catch (IOException e) {
      throw new UncheckedIOException("/proc is not mounted", e);
    }
  }

  boolean isRoot() {
    return uid == 0;
  }
}
