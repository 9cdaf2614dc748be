// SPDX-License-Identifier: Apache-2.0
package io.blkmount.cli;

import io.blkmount.block.bytes.HostName;
import java.io.IOException;
import java.io.OutputStream;
import java.lang.ProcessBuilder.Redirect;
import java.lang.System.Logger.Level;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * The host's log, through logger(1): /dev/log takes datagrams, and the JDK has no datagram sockets
 * of that family. The command is started with the first message and once more if it dies.
 */
final class SyslogPipe implements ServerLog.Sink {
  private static final int DAEMON_FACILITY = 3 << 3;
  private static final long CLOSE_SECONDS = 2;

  private final List<String> command;
  private @Nullable Process logger;
  private boolean isClosed;

  SyslogPipe(List<String> command) {
    this.command = List.copyOf(command);
  }

  static SyslogPipe ofProcess() {
    String id = "--id=" + ProcessHandle.current().pid();
    return new SyslogPipe(List.of("logger", "-t", "blkmount", id, "--prio-prefix"));
  }

  @Override
  public synchronized void write(Level level, String line) {
    byte[] message = HostName.encode("<" + priority(level) + ">" + line + "\n");
    if (!isClosed && !offer(message)) {
      logger = null;
      offer(message);
    }
  }

  /** Waits until the lines have arrived, so that the last words of a server are not lost. */
  @Override
  public synchronized void close() {
    isClosed = true;
    Process last = logger;
    if (last == null) {
      return;
    }
    try {
      last.getOutputStream().close();
      if (!last.waitFor(CLOSE_SECONDS, TimeUnit.SECONDS)) {
        last.destroy();
      }
    } catch (IOException e) {
      last.destroy();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private boolean offer(byte[] message) {
    try {
      OutputStream input = started().getOutputStream();
      input.write(message);
      input.flush();
      return true;
    } catch (IOException noLogger) {
      return false;
    }
  }

  private Process started() throws IOException {
    Process running = logger;
    if (running == null) {
      running =
          new ProcessBuilder(command)
              .redirectOutput(Redirect.DISCARD)
              .redirectError(Redirect.DISCARD)
              .start();
      logger = running;
    }
    return running;
  }

  /** The levels of syslog(3): 3 is an error, 4 a warning, 6 information, 7 debugging. */
  private static int priority(Level level) {
    return DAEMON_FACILITY
        + switch (level) {
          case ERROR -> 3;
          case WARNING -> 4;
          case INFO -> 6;
          default -> 7;
        };
  }
}
