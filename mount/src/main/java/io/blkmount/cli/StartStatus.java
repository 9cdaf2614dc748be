// SPDX-License-Identifier: Apache-2.0
package io.blkmount.cli;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;

/**
 * How a server tells its launcher that the mount answers: one line into a pipe.
 *
 * <p>The pipe's writing end is descriptor 0. A server reads no standard input, and 0 to 2 are the
 * descriptors that the JDK can give up: it puts /dev/null in their place.
 */
final class StartStatus {
  private static final String PROPERTY = "blkmount.status";

  private StartStatus() {}

  /** Returns whether a launcher waits for the line. */
  static boolean isAwaited() {
    return "stdin".equals(System.getProperty(PROPERTY));
  }

  /** Says that the mount answers; the launcher ends with exit code 0. */
  static void ready() throws IOException {
    try (FileOutputStream pipe = new FileOutputStream(FileDescriptor.in)) {
      pipe.write("ready\n".getBytes(StandardCharsets.US_ASCII));
    }
  }
}
