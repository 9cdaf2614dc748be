// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/** Programs of the host, run to their end. */
final class Tools {
  private static final long PATIENCE_SECONDS = 30;

  private Tools() {}

  /**
   * What a program said.
   *
   * @param exitCode 0 if it is content
   * @param output both streams
   */
  record Result(int exitCode, String output) {}

  /** Runs a program that must succeed; returns what it says. */
  static String run(String... command) throws IOException, InterruptedException {
    Result result = attempt(command);
    if (result.exitCode() != 0) {
      throw new IOException(String.join(" ", command) + ": " + result.output());
    }
    return result.output();
  }

  static Result attempt(String... command) throws IOException, InterruptedException {
    ProcessBuilder builder = new ProcessBuilder(List.of(command)).redirectErrorStream(true);
    builder.environment().putAll(Map.of("LC_ALL", "C"));
    Process process = builder.start();
    process.getOutputStream().close();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    if (!process.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
      process.destroyForcibly();
      throw new IOException(String.join(" ", command) + ": does not end");
    }
    return new Result(process.exitValue(), output.strip());
  }
}
