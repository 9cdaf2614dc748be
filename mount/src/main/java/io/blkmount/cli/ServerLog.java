// SPDX-License-Identifier: Apache-2.0
package io.blkmount.cli;

import io.blkmount.block.bytes.HostName;
import java.io.Closeable;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.lang.System.Logger.Level;
import java.util.ResourceBundle;
import org.jspecify.annotations.Nullable;

/**
 * Where {@link System.Logger} messages of this process go. There is one log per process, as there
 * is one System.Logger; until {@link #open} it is silent.
 */
final class ServerLog {
  /** Takes one message at a time. */
  interface Sink extends Closeable {
    /** Writes one line without line end; never throws, a log has nobody to complain to. */
    void write(Level level, String line);

    @Override
    void close();
  }

  private static volatile @Nullable StartLog sink;
  private static volatile Level threshold = Level.INFO;

  private ServerLog() {}

  /**
   * Sends messages to a sink from now on; what is no warning only when the start is over.
   *
   * @param target open
   * @param least the least important level that is written
   */
  static void open(Sink target, Level least) {
    threshold = least;
    sink = new StartLog(target);
  }

  /** Writes what was held back: nobody waits for this process any more. */
  static void startIsOver() {
    StartLog target = sink;
    if (target != null) {
      target.release();
    }
  }

  /** Writes out what is on its way, and is silent again. */
  static void close() {
    Sink last = sink;
    sink = null;
    if (last != null) {
      last.close();
    }
  }

  static boolean isLoggable(Level level) {
    return sink != null && level.getSeverity() >= threshold.getSeverity() && level != Level.OFF;
  }

  static void write(Level level, @Nullable String message, @Nullable Throwable thrown) {
    Sink target = sink;
    if (target != null && isLoggable(level)) {
      target.write(level, HostName.printable(line(String.valueOf(message), thrown)));
    }
  }

  /** An exception of the world is its message; a bug of ours is its whole trace, on one line. */
  private static String line(String message, @Nullable Throwable thrown) {
    if (thrown == null) {
      return message;
    }
    if (thrown instanceof IOException) {
      return message + ": " + thrown.getMessage();
    }
    StringWriter trace = new StringWriter();
    thrown.printStackTrace(new PrintWriter(trace, true));
    return message + ": " + String.join(" |", trace.toString().lines().map(String::strip).toList());
  }

  /** What the JDK asks for a logger: registered in {@code META-INF/services}. */
  public static final class Finder extends System.LoggerFinder {
    /** Called by the service loader. */
    public Finder() {}

    @Override
    public System.Logger getLogger(String name, Module module) {
      return new Logger(name);
    }
  }

  private record Logger(String name) implements System.Logger {
    @Override
    public String getName() {
      return name;
    }

    @Override
    public boolean isLoggable(Level level) {
      return ServerLog.isLoggable(level);
    }

    @Override
    public void log(
        Level level,
        @Nullable ResourceBundle bundle,
        @Nullable String message,
        @Nullable Throwable thrown) {
      ServerLog.write(level, message, thrown);
    }

    @Override
    public void log(
        Level level,
        @Nullable ResourceBundle bundle,
        @Nullable String format,
        @Nullable Object... values) {
      if (ServerLog.isLoggable(level)) {
        ServerLog.write(level, formatted(format, values), null);
      }
    }

    private static @Nullable String formatted(@Nullable String format, @Nullable Object[] values) {
      return format == null || values == null || values.length == 0
          ? format
          : java.text.MessageFormat.format(format, values);
    }
  }
}
