// SPDX-License-Identifier: Apache-2.0
package io.blkmount.nativetests;

import java.time.Duration;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;

/** Waits for what another process does. */
final class Await {
  private static final long LOOK_NANOS = 5_000_000;

  private Await() {}

  /** Returns as soon as {@code condition} holds, and fails the test if it does not in time. */
  static void until(String what, Duration timeout, BooleanSupplier condition) {
    if (!holdsWithin(timeout, condition)) {
      throw new AssertionError("not within " + timeout + ": " + what);
    }
  }

  static boolean holdsWithin(Duration timeout, BooleanSupplier condition) {
    long deadline = System.nanoTime() + timeout.toNanos();
    while (!condition.getAsBoolean()) {
      if (System.nanoTime() - deadline > 0) {
        return false;
      }
      LockSupport.parkNanos(LOOK_NANOS);
    }
    return true;
  }
}
