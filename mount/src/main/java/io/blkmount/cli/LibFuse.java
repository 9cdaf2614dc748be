// SPDX-License-Identifier: Apache-2.0
package io.blkmount.cli;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** What a mount needs of the host: the device, and the library if it is to go through that. */
final class LibFuse {
  private static final String LIBRARY = "libfuse.so.2";
  private static final String TRANSPORT = "jnr-fuse";
  private static final String INSTALL = "apt-get install libfuse2";
  private static final List<String> FOLDERS =
      List.of("/lib", "/usr/lib", "/lib64", "/usr/lib64", "/usr/local/lib");

  private LibFuse() {}

  /**
   * Fails with the command that helps if something is missing.
   *
   * @param transport the library is needed for {@code jnr-fuse} only
   */
  static void require(String transport) throws CommandFailure {
    if (transport.equals(TRANSPORT) && !isInstalled()) {
      throw CommandFailure.failed(LIBRARY + " is missing; install it with: " + INSTALL);
    }
    if (!Files.exists(Path.of("/dev/fuse"))) {
      throw CommandFailure.failed("/dev/fuse is missing; load the kernel module: modprobe fuse");
    }
  }

  private static boolean isInstalled() {
    for (String folder : FOLDERS) {
      if (holdsLibrary(Path.of(folder))) {
        return true;
      }
    }
    return false;
  }

  /** Debian keeps libraries in a folder per architecture, such as x86_64-linux-gnu. */
  private static boolean holdsLibrary(Path folder) {
    if (Files.exists(folder.resolve(LIBRARY))) {
      return true;
    }
    try (DirectoryStream<Path> triplets = Files.newDirectoryStream(folder, "*-linux-*")) {
      for (Path triplet : triplets) {
        if (Files.exists(triplet.resolve(LIBRARY))) {
          return true;
        }
      }
    } catch (IOException noSuchFolder) {
      // Not every host has all of them.
    }
    return false;
  }
}
