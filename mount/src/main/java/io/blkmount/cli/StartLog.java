// SPDX-License-Identifier: Apache-2.0
package io.blkmount.cli;

import java.lang.System.Logger.Level;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Holds back what is said while somebody waits for the start: to run logger(1), or to find out how
 * a time is written here, takes as long as a part of the start does. What is wrong is not held
 * back, and what came before it neither.
 */
final class StartLog implements ServerLog.Sink {
  private record Line(Level level, String text) {}

  private final ServerLog.Sink target;
  private @Nullable List<Line> held = new ArrayList<>();

  StartLog(ServerLog.Sink target) {
    this.target = target;
  }

  @Override
  public synchronized void write(Level level, String line) {
    if (held != null && level.getSeverity() < Level.WARNING.getSeverity()) {
      held.add(new Line(level, line));
    } else {
      release();
      target.write(level, line);
    }
  }

  /** Writes what was held back, and from now on every line at once. */
  synchronized void release() {
    List<Line> lines = held;
    held = null;
    if (lines != null) {
      lines.forEach(line -> target.write(line.level(), line.text()));
    }
  }

  @Override
  public synchronized void close() {
    release();
    target.close();
  }
}
