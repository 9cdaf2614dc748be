// SPDX-License-Identifier: Apache-2.0
package io.blkmount.cli;

import java.lang.System.Logger.Level;
import org.jspecify.annotations.Nullable;

/**
 * How the server runs.
 *
 * @param foreground stay on the terminal
 * @param pidFile absolute name, or null
 * @param logFile absolute name, or null for syslog (for the terminal in the foreground)
 * @param level the least important message that is written
 */
record ServerOptions(
    boolean foreground, @Nullable String pidFile, @Nullable String logFile, Level level) {

  static ServerOptions of(CommandLineOptions options, WorkingDirectory directory) {
    return new ServerOptions(
        options.has(Option.FOREGROUND),
        absolute(options.value(Option.PID_FILE), directory),
        absolute(options.value(Option.LOG_FILE), directory),
        level(options.values(Option.VERBOSE).size()));
  }

  private static @Nullable String absolute(@Nullable String name, WorkingDirectory directory) {
    return name == null ? null : directory.resolve(name);
  }

  private static Level level(int verbosity) {
    return switch (verbosity) {
      case 0 -> Level.INFO;
      case 1 -> Level.DEBUG;
      default -> Level.TRACE;
    };
  }
}
