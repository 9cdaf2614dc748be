// SPDX-License-Identifier: Apache-2.0
package io.blkmount.cli;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** The two things of the host that a mount needs: the library and the device. */
final class LibFuse {
  private static final String LIBRARY = "libfuse.so.2";
  private static final String INSTALL = "apt-get install libfuse2";
  private static final List<String> FOLDERS =
      List.of("/lib", "/usr/lib", "/lib64", "/usr/lib64", "/usr/local/lib");

  private LibFuse() {}

  /** Fails with the command that helps if something is missing. */
  static void require() throws CommandFailure {
    if (!isInstalled()) {
      throw CommandFailure.failed(LIBRARY + " is missing; install it with: " + INSTALL);
    }
    if (!Files.exists(Path.of("/dev/fuse"))) {
      throw CommandFailure.failed("/dev/fuse is missing; load the kernel module: modprobe fuse");
    }
  }

  /** Installs the library if it is missing and this user may. */
  static void install(Terminal terminal) throws CommandFailure {
    if (isInstalled() || !ProcessUser.current().isRoot()) {
      return;
    }
    terminal.say(LIBRARY + " is missing; installing it: " + INSTALL + "\n");
    if (!succeeds("apt-get", "-qq", "-y", "install", "libfuse2")) {
      // A fresh machine has no package lists yet.
      succeeds("apt-get", "-qq", "update");
      succeeds("apt-get", "-qq", "-y", "install", "libfuse2");
    }
  }

  static boolean isInstalled() {
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

  private static boolean succeeds(String... command) throws CommandFailure {
    ProcessBuilder builder = new ProcessBuilder(command);
    builder.environment().put("DEBIAN_FRONTEND", "noninteractive");
    builder.redirectOutput(ProcessBuilder.Redirect.DISCARD);
    builder.redirectError(ProcessBuilder.Redirect.DISCARD);
    try {
      Process process = builder.start();
      process.getOutputStream().close();
      return process.waitFor() == 0;
    } catch (IOException e) {
      throw CommandFailure.failed("cannot run apt-get: " + e.getMessage(), e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw CommandFailure.failed("interrupted while waiting for apt-get", e);
    }
  }
}
