// SPDX-License-Identifier: Apache-2.0
package io.blkmount.cli;

import io.blkmount.block.bytes.HostName;
import java.io.IOException;
import java.io.OutputStream;
import java.lang.System.Logger.Level;
import java.nio.file.Files;
import java.nio.file.StandardOpenOption;
import java.time.InstantSource;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;

/** A log in a file or on the terminal: one line per message, with time and level. */
final class StreamLog implements ServerLog.Sink {
  /** Made with the first line, which comes when nobody waits for the mount any more. */
  private static final class Time {
    static final DateTimeFormatter FORMAT =
        DateTimeFormatter.ofPattern("uuuu-MM-dd'T'HH:mm:ss.SSSxxx")
            .withZone(ZoneId.systemDefault());
  }

  private final OutputStream target;
  private final InstantSource clock;

  StreamLog(OutputStream target, InstantSource clock) {
    this.target = target;
    this.clock = clock;
  }

  /**
   * Opens a file at its end, and makes it if it is not there.
   *
   * @param name absolute
   */
  static StreamLog appendTo(String name) throws CommandFailure {
    try {
      return new StreamLog(
          Files.newOutputStream(
              HostPath.of(name), StandardOpenOption.CREATE, StandardOpenOption.APPEND),
          InstantSource.system());
    } catch (IOException e) {
      throw CommandFailure.failed("log file \"" + name + "\": " + MountPoint.reason(e), e);
    }
  }

  @Override
  public synchronized void write(Level level, String line) {
    try {
      String time = Time.FORMAT.format(clock.instant());
      target.write(HostName.encode(time + " " + level + " " + line + "\n"));
      target.flush();
    } catch (IOException diskIsFull) {
      // A server goes on without its log.
    }
  }

  @Override
  public synchronized void close() {
    try {
      target.close();
    } catch (IOException e) {
      // The lines were written one by one; nothing is lost here.
    }
  }
}
