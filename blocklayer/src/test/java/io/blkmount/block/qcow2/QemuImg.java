// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** Runs the installed qemu-img and qemu-io, the judges of what we write and the makers of input. */
final class QemuImg {
  private QemuImg() {}

  /**
   * What a command said.
   *
   * @param exitCode 0 for success
   * @param output standard output and standard error
   */
  record Result(int exitCode, String output) {}

  /** Runs qemu-img in a folder; it must succeed. */
  static String run(Path folder, String... arguments) {
    Result result = tryRun(folder, arguments);
    if (result.exitCode() != 0) {
      throw new AssertionError("qemu-img " + List.of(arguments) + ": " + result.output());
    }
    return result.output();
  }

  /** Runs qemu-img in a folder. */
  static Result tryRun(Path folder, String... arguments) {
    return execute(folder, "qemu-img", arguments);
  }

  /** Runs one qemu-io command on an image; it must succeed. */
  static String io(Path image, String command) {
    Result result = execute(image.getParent(), "qemu-io", "-c", command, image.toString());
    if (result.exitCode() != 0) {
      throw new AssertionError("qemu-io " + command + ": " + result.output());
    }
    return result.output();
  }

  private static Result execute(Path folder, String program, String... arguments) {
    List<String> command = new ArrayList<>(List.of(program));
    command.addAll(List.of(arguments));
    try {
      Process process =
          new ProcessBuilder(command).directory(folder.toFile()).redirectErrorStream(true).start();
      process.getOutputStream().close();
      String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
      if (!process.waitFor(60, TimeUnit.SECONDS)) {
        process.destroyForcibly();
        throw new AssertionError(command + " hangs");
      }
      return new Result(process.exitValue(), output);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new AssertionError(e);
    }
  }
}
