// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.file;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** A loop device for a test, detached when it is closed. */
final class LoopDevice implements AutoCloseable {
  private final String name;

  private LoopDevice(String name) {
    this.name = name;
  }

  /** Returns whether this process may make one. */
  static boolean isPossible() {
    return "root".equals(System.getProperty("user.name")) && HostFiles.exists("/dev/loop-control");
  }

  static LoopDevice on(Path file, String... options) throws IOException {
    String[] command = {"losetup", "--find", "--show"};
    String output = run(concat(command, options, file.toString()));
    return new LoopDevice(output.strip());
  }

  String name() {
    return name;
  }

  @Override
  public void close() throws IOException {
    run("losetup", "--detach", name);
  }

  private static String[] concat(String[] command, String[] options, String last) {
    List<String> all = new ArrayList<>(List.of(command));
    all.addAll(List.of(options));
    all.add(last);
    return all.toArray(String[]::new);
  }

  /** Runs a tool that must succeed; returns what it prints. */
  static String run(String... command) throws IOException {
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    try {
      if (!process.waitFor(30, TimeUnit.SECONDS) || process.exitValue() != 0) {
        throw new IOException(String.join(" ", command) + ": " + output);
      }
    } catch (InterruptedException e) {
      throw new IOException(e);
    }
    return output;
  }
}
