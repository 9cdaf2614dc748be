// SPDX-License-Identifier: Apache-2.0
package io.blkmount.nativetests;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Whether QEMU may open an image, and an image that QEMU has open. */
final class Locks {
  private Locks() {}

  /** Fails unless qemu-io can open the image for writing. */
  static void requireReleased(Path image) {
    openByQemu(image).requireSuccess();
  }

  /** Fails unless qemu-io is refused, as it is for an image that another process may write. */
  static void requireHeld(Path image) {
    Shell.Result result = openByQemu(image);
    assertThat(result.errors() + result.output()).contains("lock");
  }

  private static Shell.Result openByQemu(Path image) {
    String format = image.toString().endsWith(".qcow2") ? "qcow2" : "raw";
    return Shell.run("qemu-io", "-f", format, "-c", "length", image);
  }

  /** Opens an image in qemu-io, until it is closed. */
  static OpenInQemu openInQemu(Path image, String... options) {
    List<String> command = new java.util.ArrayList<>(List.of("qemu-io"));
    command.addAll(List.of(options));
    command.add(image.toString());
    try {
      return new OpenInQemu(new ProcessBuilder(command).redirectErrorStream(true).start());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** A qemu-io that waits for its next command. */
  static final class OpenInQemu implements AutoCloseable {
    private final Process process;

    /** Returns when qemu-io has answered a command, so it has the image open and locked. */
    private OpenInQemu(Process process) throws IOException {
      this.process = process;
      process.getOutputStream().write("map\n".getBytes(StandardCharsets.US_ASCII));
      process.getOutputStream().flush();
      BufferedReader output = process.inputReader(StandardCharsets.UTF_8);
      @Nullable String line = output.readLine();
      if (line == null || line.contains("lock")) {
        throw new AssertionError("qemu-io did not open it: " + line);
      }
    }

    long pid() {
      return process.pid();
    }

    @Override
    public void close() throws InterruptedException {
      process.destroyForcibly();
      process.waitFor();
    }
  }
}
