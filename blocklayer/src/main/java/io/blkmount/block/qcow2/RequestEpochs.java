// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import java.util.concurrent.atomic.AtomicIntegerArray;

/**
 * Tells when every request that was in flight at some moment has ended, without a list of them.
 *
 * <p>A request enters the current epoch and leaves it at its end. An epoch may only begin when
 * nobody is left in the one before the current, so two counters are enough; what was dropped in
 * epoch {@code e} is out of everybody's sight once epoch {@code e + 2} has begun.
 */
final class RequestEpochs {
  private final AtomicIntegerArray active = new AtomicIntegerArray(2);
  private volatile long current = 2;

  /** Enters the current epoch and returns it, for {@link #leave}. */
  long enter() {
    while (true) {
      long epoch = current;
      active.incrementAndGet((int) epoch & 1);
      if (epoch == current) {
        return epoch;
      }
      active.decrementAndGet((int) epoch & 1);
    }
  }

  void leave(long epoch) {
    active.decrementAndGet((int) epoch & 1);
  }

  long current() {
    return current;
  }

  /**
   * Begins new epochs as far as the requests in flight allow; the caller holds the metadata lock.
   */
  void advance() {
    for (int i = 0; i < 2; i++) {
      long next = current + 1;
      if (active.get((int) next & 1) != 0) {
        return; // somebody is left in the epoch before the current
      }
      current = next;
    }
  }

  /** Returns whether every request that was in flight in {@code epoch} has ended. */
  boolean hasPassed(long epoch) {
    return current >= epoch + 2;
  }
}
