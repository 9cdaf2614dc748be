// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.backend;

import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Counts the requests that are inside, lets one be alone there and, once closed, lets no more in.
 * Requests are stopped here and nowhere below: a gate inside the graph would stop half of a request
 * and wait for the other.
 */
final class QuiesceGate {
  /** The sign bit; the low bits are the number of requests inside. */
  private static final int CLOSED = Integer.MIN_VALUE;

  /** Somebody is alone inside or waits to be: the others wait outside. */
  private static final int HELD = 1 << 30;

  private static final int FLAGS = CLOSED | HELD;

  private final String imageName;
  private final AtomicInteger state = new AtomicInteger();
  private final CountDownLatch empty = new CountDownLatch(1);
  private final Pass pass = this::leave;

  /** Held by who is alone inside; taken before the next lock, and with no pass. */
  private final ReentrantLock holding = new ReentrantLock();

  private final ReentrantLock lock = new ReentrantLock();

  /** Signalled when a held gate has one request less inside, and when it is held no more. */
  private final Condition changed = lock.newCondition();

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
   * Lets a request in, when nobody is alone inside.
   *
   * @throws BlockException with {@code NO_MEDIUM} once the gate is closed
   */
  Pass enter() throws BlockException {
    while (true) {
      int before = state.getAndIncrement();
      if ((before & FLAGS) == 0) {
        return pass;
      }
      leave();
      requireOpen(before);
      await(() -> (state.get() & HELD) == 0);
    }
  }

  private void requireOpen(int seen) throws BlockException {
    if ((seen & CLOSED) != 0) {
      throw new BlockException(BlockError.NO_MEDIUM, "image \"" + imageName + "\" is closed");
    }
  }

  private void leave() {
    int left = state.decrementAndGet();
    if ((left & FLAGS) != 0) {
      leaveFlagged(left);
    }
  }

  private void leaveFlagged(int left) {
    if (left == CLOSED) {
      empty.countDown();
    }
    signal();
  }

  /**
   * Lets a request in when all others have left, and no other until it leaves. Not by a thread that
   * is inside.
   *
   * @throws BlockException with {@code NO_MEDIUM} once the gate is closed
   */
  Pass enterAlone() throws BlockException {
    holding.lock();
    boolean entered = false;
    try {
      enter();
      state.getAndUpdate(now -> now | HELD);
      await(() -> (state.get() & ~FLAGS) == 1);
      entered = true;
    } finally {
      if (!entered) {
        holding.unlock();
      }
    }
    return this::leaveAlone;
  }

  private void leaveAlone() {
    state.getAndUpdate(now -> now & ~HELD);
    leave();
    signal();
    holding.unlock();
  }

  private interface Question {
    boolean isTrue();
  }

  /** Waits, whatever interrupts. */
  private void await(Question question) {
    lock.lock();
    try {
      while (!question.isTrue()) {
        changed.awaitUninterruptibly();
      }
    } finally {
      lock.unlock();
    }
  }

  private void signal() {
    lock.lock();
    try {
      changed.signalAll();
    } finally {
      lock.unlock();
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
