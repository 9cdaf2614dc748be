// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;

/** Does something again and again, on a thread of its own that does not keep the process alive. */
@FunctionalInterface
interface Alarm {
  /** The real clock. */
  Alarm SYSTEM =
      (intervalSeconds, action) ->
          Clock.THREAD.scheduleWithFixedDelay(
                  action, intervalSeconds, intervalSeconds, TimeUnit.SECONDS)
              ::cancel;

  /** Ends a row of calls; one that runs may still go on. */
  @FunctionalInterface
  interface Setting {
    boolean cancel(boolean interrupt);
  }

  /**
   * Sets the alarm.
   *
   * @param intervalSeconds at least 1: how long after the end of one call the next one comes
   * @param action short, and throws nothing
   */
  Setting every(long intervalSeconds, Runnable action);

  /** One thread for all images, started with the first alarm. */
  final class Clock {
    private static final ScheduledThreadPoolExecutor THREAD = thread();

    private Clock() {}

    private static ScheduledThreadPoolExecutor thread() {
      ScheduledThreadPoolExecutor executor =
          new ScheduledThreadPoolExecutor(
              1,
              action -> {
                Thread thread = new Thread(action, "qcow2-cache-cleaning");
                thread.setDaemon(true);
                return thread;
              });
      executor.setRemoveOnCancelPolicy(true);
      return executor;
    }
  }
}
