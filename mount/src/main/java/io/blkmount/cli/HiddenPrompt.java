// SPDX-License-Identifier: Apache-2.0
package io.blkmount.cli;

import io.blkmount.block.bytes.HostName;
import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * Asks for a line on the terminal of the command without showing what is typed.
 *
 * <p>The server of a mount has no controlling terminal any more when it opens the images: then
 * standard error, which is still the caller's, leads to it.
 */
final class HiddenPrompt {
  /** Set by the launcher if its standard input is a terminal: somebody is there to answer. */
  private static final String VARIABLE = "BLKMOUNT_TERMINAL";

  private static final int MAX_LINE = 4096;

  private HiddenPrompt() {}

  /** Returns where to ask, or null if nobody would answer. */
  static @Nullable File terminal() {
    if (ProcessWords.variable(VARIABLE) == null) {
      return null;
    }
    for (String name : new String[] {"/dev/tty", "/dev/fd/2"}) {
      File device = new File(name);
      try {
        String unused = stty(device, "-g");
        return device;
      } catch (IOException noTerminal) {
        // the next one
      }
    }
    return null;
  }

  /**
   * Asks once.
   *
   * @param device the terminal
   * @param question without a line end
   * @return the bytes up to the end of the line, without it; the caller wipes them
   * @throws IOException if the terminal fails, or was closed instead of answering
   */
  static byte[] ask(File device, String question) throws IOException {
    String settings = stty(device, "-g");
    Thread restoring = new Thread(() -> restore(device, settings));
    Runtime.getRuntime().addShutdownHook(restoring);
    try {
      String unused = stty(device, "-echo");
      write(device, question);
      return line(device);
    } finally {
      restore(device, settings);
      write(device, "\n");
      removeHook(restoring);
    }
  }

  private static void removeHook(Thread restoring) {
    try {
      Runtime.getRuntime().removeShutdownHook(restoring);
    } catch (IllegalStateException shutdownHasBegun) {
      // It runs, or has run.
    }
  }

  private static void restore(File device, String settings) {
    try {
      String unused = stty(device, settings);
    } catch (IOException terminalIsGone) {
      // Nobody is left to see it.
    }
  }

  private static byte[] line(File device) throws IOException {
    byte[] typed = new byte[MAX_LINE];
    try (FileInputStream input = new FileInputStream(device)) {
      int length = 0;
      while (length < MAX_LINE) {
        int count = input.read(typed, length, MAX_LINE - length);
        if (count < 0) {
          throw new IOException("no key was entered");
        }
        length += count;
        if (typed[length - 1] == '\n') {
          return Arrays.copyOf(typed, length - 1);
        }
      }
      throw new IOException("a key of more than " + MAX_LINE + " bytes");
    } finally {
      Arrays.fill(typed, (byte) 0);
    }
  }

  private static void write(File device, String text) throws IOException {
    try (FileOutputStream output = new FileOutputStream(device)) {
      output.write(HostName.encode(text));
    }
  }

  /** Runs stty(1) on a device; returns what it says. */
  private static String stty(File device, String argument) throws IOException {
    Process stty =
        new ProcessBuilder("stty", argument)
            .redirectInput(device)
            .redirectError(ProcessBuilder.Redirect.DISCARD)
            .start();
    ByteArrayOutputStream said = new ByteArrayOutputStream();
    stty.getInputStream().transferTo(said);
    try {
      if (stty.waitFor() != 0) {
        throw new IOException(device + " is no terminal");
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("interrupted", e);
    }
    return said.toString(StandardCharsets.US_ASCII).strip();
  }
}
