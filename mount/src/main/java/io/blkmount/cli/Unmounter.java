// SPDX-License-Identifier: Apache-2.0
package io.blkmount.cli;

import io.blkmount.block.bytes.HostName;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/**
 * Takes mounts away that another process serves, with the host's own commands: umount(8) as root,
 * else fusermount, which may do it for its user.
 *
 * @param command words in front of the mount point
 * @param lazyFlag the word that makes it lazy
 */
record Unmounter(List<String> command, String lazyFlag) {
  static Unmounter ofProcess() {
    return ProcessUser.current().isRoot()
        ? new Unmounter(List.of("umount", "-i"), "-l")
        : new Unmounter(List.of("fusermount3", "-u"), "-z");
  }

  /**
   * Unmounts.
   *
   * @param mountPoint absolute name
   * @return what the command said if it failed, else the empty string
   */
  String unmount(String mountPoint) throws CommandFailure {
    return run(command, mountPoint);
  }

  /** Takes the mount out of the tree; it ends with its last user. */
  void detach(String mountPoint) throws CommandFailure {
    List<String> words = new ArrayList<>(command);
    words.add(lazyFlag);
    String complaint = run(words, mountPoint);
    if (!complaint.isEmpty()) {
      throw CommandFailure.failed("\"" + mountPoint + "\": cannot be detached: " + complaint);
    }
  }

  /**
   * Runs a command on a name. The JDK hands words to commands in the locale's charset only; xargs
   * takes bytes.
   */
  private static String run(List<String> words, String name) throws CommandFailure {
    List<String> all = new ArrayList<>(List.of("xargs", "-0"));
    all.addAll(words);
    all.add("--");
    try {
      Process process = new ProcessBuilder(all).redirectErrorStream(true).start();
      try (OutputStream input = process.getOutputStream()) {
        input.write(HostName.encode(name));
        input.write(0);
      }
      String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
      return process.waitFor() == 0 ? "" : said.isBlank() ? "no reason given" : said.strip();
    } catch (IOException e) {
      throw CommandFailure.failed("cannot run " + words.get(0) + ": " + e.getMessage(), e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw CommandFailure.failed("interrupted while waiting for " + words.get(0), e);
    }
  }
}
