// SPDX-License-Identifier: Apache-2.0
package io.blkmount.cli;

import io.blkmount.block.bytes.HostName;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;

/**
 * Where a command's answers go until it is a server: standard output and standard error, as bytes.
 *
 * @param out for what was asked for
 * @param err for what went wrong
 */
record Terminal(OutputStream out, OutputStream err) {
  /** Returns the terminal of this process. */
  static Terminal ofProcess() {
    return new Terminal(
        new FileOutputStream(FileDescriptor.out), new FileOutputStream(FileDescriptor.err));
  }

  /**
   * Writes text to standard output.
   *
   * @param text with its line ends; names in it keep their bytes
   */
  void say(String text) {
    write(out, text);
  }

  /**
   * Writes one line to standard error.
   *
   * @param message without prefix and line end; what would break the line is escaped
   */
  void complain(String message) {
    write(err, "blkmount: " + HostName.printable(message) + "\n");
  }

  /**
   * Lets go of both. For the descriptors 1 and 2 the JDK puts /dev/null in place of closing them,
   * so nobody who reads them waits for the server and no later file gets their numbers.
   */
  void letGo() throws IOException {
    try (err) {
      out.close();
    }
  }

  private static void write(OutputStream target, String text) {
    try {
      target.write(HostName.encode(text));
      target.flush();
    } catch (IOException readerIsGone) {
      // There is nobody left to tell.
    }
  }
}
