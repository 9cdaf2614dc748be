// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.file;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.ProcessBuilder.Redirect;
import java.nio.charset.StandardCharsets;
import java.util.List;

/** A process that answers each line with at least one of its own, until it is killed. */
final class OtherProcess implements AutoCloseable {
  private final Process process;
  private final BufferedReader answers;

  private OtherProcess(Process process) {
    this.process = process;
    this.answers = process.inputReader(StandardCharsets.UTF_8);
  }

  static OtherProcess start(List<String> command) throws IOException {
    // Its warnings are no answers.
    Redirect nowhere = Redirect.DISCARD;
    return new OtherProcess(new ProcessBuilder(command).redirectError(nowhere).start());
  }

  long pid() {
    return process.pid();
  }

  /** Sends a line and waits for the answer, after which the process is surely up. */
  String say(String line) {
    try {
      process.getOutputStream().write((line + "\n").getBytes(StandardCharsets.UTF_8));
      process.getOutputStream().flush();
      String answer = answers.readLine();
      if (answer == null) {
        throw new AssertionError("the process ended: " + process.info());
      }
      return answer;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Ends it with SIGKILL. */
  void kill() {
    process.destroyForcibly().onExit().join();
  }

  @Override
  public void close() {
    kill();
  }
}
