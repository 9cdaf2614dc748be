// SPDX-License-Identifier: Apache-2.0
package io.blkmount.cli;

import java.io.Closeable;
import java.io.IOException;
import java.lang.System.Logger.Level;
import java.nio.file.Files;
import java.nio.file.Path;

/** A file with the server's process id, there as long as the server is. */
final class PidFile implements Closeable {
  private final Path file;

  private PidFile(Path file) {
    this.file = file;
  }

  /**
   * Writes the file.
   *
   * @param name absolute
   */
  static PidFile write(String name) throws CommandFailure {
    Path file = HostPath.of(name);
    try {
      Files.writeString(file, ProcessHandle.current().pid() + "\n");
      return new PidFile(file);
    } catch (IOException e) {
      throw CommandFailure.failed("pid file \"" + name + "\": " + MountPoint.reason(e), e);
    }
  }

  /** Removes the file. */
  @Override
  public void close() {
    try {
      Files.deleteIfExists(file);
    } catch (IOException e) {
      System.getLogger(PidFile.class.getName())
          .log(Level.WARNING, "pid file \"" + file + "\" stays behind", e);
    }
  }
}
