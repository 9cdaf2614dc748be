// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.backend;

import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Counts the requests that are inside and, once closed, lets no more in. Requests are stopped here
 * and nowhere below: a gate inside the graph would stop half of a request and wait for the other.
 */
final class QuiesceGate {
  /** The sign bit; the other bits are the number of requests inside. */
  private static final int CLOSED = Integer.MIN_VALUE;

  private final String imageName;
  private final AtomicInteger state = new AtomicInteger();
  private final CountDownLatch empty = new CountDownLatch(1);
  private final Pass pass = this::leave;

  QuiesceGate(String imageName) {
    this.imageName = imageName;
  }

  /** The right to be inside, given back when it is closed. */
  @FunctionalInterface
  interface Pass extends AutoCloseable {
    @Override
    void close();
  }

  /**
   * Lets a request in.
   *
   * @throws BlockException with {@code NO_MEDIUM} once the gate is closed
   */
  Pass enter() throws BlockException {
    if (state.getAndIncrement() < 0) {
      leave();
      throw new BlockException(BlockError.NO_MEDIUM, "image \"" + imageName + "\" is closed");
    }
    return pass;
  }

  private void leave() {
    if (state.decrementAndGet() == CLOSED) {
      empty.countDown();
    }
  }

  /**
   * Closes the gate and waits, whatever interrupts, until nobody is inside.
   *
   * @return whether this call has closed it; false: it was closed before
   */
  boolean close() {
    int before = state.getAndUpdate(count -> count | CLOSED);
    if (before == 0) {
      empty.countDown();
    }
    awaitEmpty();
    return before >= 0;
  }

  private void awaitEmpty() {
    boolean interrupted = false;
    while (true) {
      try {
        empty.await();
        break;
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}
