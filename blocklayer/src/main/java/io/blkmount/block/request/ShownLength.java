// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.request;

import io.blkmount.block.driver.DriverInstance;
import java.io.IOException;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * The length of a node as others see it: without the padding that a write is about to cut off. Who
 * saw that would show a disk that is too long, and let writes in that make it so.
 */
final class ShownLength {
  private final DriverInstance instance;

  /** Goes up when padding begins and when it ends, so that a look in between is repeated. */
  private final AtomicInteger changes = new AtomicInteger();

  private volatile long paddedFrom = Long.MAX_VALUE;

  ShownLength(DriverInstance instance) {
    this.instance = instance;
  }

  long get() throws IOException {
    int before;
    long length;
    do {
      before = changes.get();
      length = Math.min(instance.length(), paddedFrom);
    } while (changes.get() != before);
    return length;
  }

  /**
   * Says that padding will make the file longer for a moment. By one request at a time, which has
   * everything from its range to infinity to itself.
   *
   * @param end where the file will end after that
   */
  void beginPadding(long end) {
    paddedFrom = end;
    changes.incrementAndGet(); // after the value and before the padding: who sees that looks again
  }

  /** Says that the file has its right length. */
  void endPadding() {
    changes.incrementAndGet();
    paddedFrom = Long.MAX_VALUE;
  }
}
