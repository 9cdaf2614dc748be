// SPDX-License-Identifier: Apache-2.0
package io.blkmount.nativetests;

import java.nio.file.Files;
import java.nio.file.Path;

/** The checkout that is tested. */
final class Project {
  private static final Path ROOT = findRoot();

  private Project() {}

  static Path root() {
    return ROOT;
  }

  /** Returns the launcher that users call. */
  static Path launcher() {
    return ROOT.resolve("mount/bin/blkmount");
  }

  private static Path findRoot() {
    Path folder = Path.of("").toAbsolutePath();
    while (folder != null && !Files.exists(folder.resolve("mount/bin"))) {
      folder = folder.getParent();
    }
    if (folder == null) {
      throw new IllegalStateException("no mount/bin above " + Path.of("").toAbsolutePath());
    }
    return folder;
  }
}
