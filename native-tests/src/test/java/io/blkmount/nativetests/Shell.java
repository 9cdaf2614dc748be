// SPDX-License-Identifier: Apache-2.0
package io.blkmount.nativetests;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** Runs commands with a time-out, and says all they said when one fails. */
final class Shell {
  static final Duration TIMEOUT = Duration.ofSeconds(60);

  private Shell() {}

  /**
   * What a command did.
   *
   * @param exitCode as the shell counts it: 128 and more after a signal
   * @param output its standard output
   * @param errors its standard error
   */
  record Result(List<String> command, int exitCode, String output, String errors) {
    /** Fails the test unless the command succeeded; returns its output without the last newline. */
    String requireSuccess() {
      if (exitCode != 0) {
        throw new AssertionError("exit code " + exitCode + ": " + this);
      }
      return output.stripTrailing();
    }

    List<String> errorLines() {
      return errors.lines().toList();
    }
  }

  /** Runs a script of bash that must succeed, {@code arguments} as $1, $2 and so on. */
  static String bash(String script, Object... arguments) {
    return tryBash(script, arguments).requireSuccess();
  }

  /** Runs a script of bash. */
  static Result tryBash(String script, Object... arguments) {
    List<Object> command = new ArrayList<>(List.of("bash", "-c", "set -euo pipefail\n" + script));
    command.add("bash");
    command.addAll(List.of(arguments));
    return run(command.toArray());
  }

  /** Runs a command, its parts taken as strings. */
  static Result run(Object... command) {
    return run(TIMEOUT, command);
  }

  static Result run(Duration timeout, Object... command) {
    List<String> words = new ArrayList<>();
    for (Object word : command) {
      words.add(word.toString());
    }
    try {
      return run(timeout, words);
    } catch (IOException e) {
      throw new UncheckedIOException("cannot run " + words, e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new AssertionError("interrupted while " + words + " ran", e);
    }
  }

  /** Files take the output: a pipe would be held open by a server left behind. */
  private static Result run(Duration timeout, List<String> command)
      throws IOException, InterruptedException {
    Path output = Files.createTempFile("blkmount-test", ".out");
    Path errors = Files.createTempFile("blkmount-test", ".err");
    try {
      Process process =
          new ProcessBuilder(command)
              .redirectOutput(output.toFile())
              .redirectError(errors.toFile())
              .start();
      process.getOutputStream().close();
      boolean ended = process.waitFor(timeout.toMillis(), TimeUnit.MILLISECONDS);
      if (!ended) {
        end(process);
      }
      Result result =
          new Result(command, ended ? process.exitValue() : -1, text(output), text(errors));
      if (!ended) {
        throw new AssertionError("not ended after " + timeout + ": " + result);
      }
      return result;
    } finally {
      Files.delete(output);
      Files.delete(errors);
    }
  }

  private static void end(Process process) {
    process.descendants().forEach(ProcessHandle::destroyForcibly);
    process.destroyForcibly();
  }

  private static String text(Path file) throws IOException {
    return new String(Files.readAllBytes(file), StandardCharsets.UTF_8);
  }
}
