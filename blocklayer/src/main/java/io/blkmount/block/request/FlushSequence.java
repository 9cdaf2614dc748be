// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.request;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import io.blkmount.block.driver.DriverInstance;
import io.blkmount.block.driver.HostStored;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import java.io.IOException;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * The flushes of one node, one at a time. A flush covers the writes that had completed when it
 * began: who arrives while one runs never shares it, but the next, with all others that wait. It is
 * skipped only if nothing was written since the last one that succeeded.
 *
 * <p>After a failed flush of a host file every later one fails: the kernel has forgotten the pages
 * that it could not write, so that a second fdatasync that returns 0 proves nothing.
 */
final class FlushSequence {
  private final DriverInstance instance;
  private final boolean failsForGood;
  private final AtomicLong generation = new AtomicLong();
  private final ReentrantLock lock = new ReentrantLock();
  private volatile boolean always;
  private final Condition changed = lock.newCondition();

  /** Generation covered by the last flush that succeeded; the first flush is never skipped. */
  @GuardedBy("lock")
  private long flushedGeneration = -1;

  @GuardedBy("lock")
  private @Nullable Round running;

  @GuardedBy("lock")
  private @Nullable Round next;

  @GuardedBy("lock")
  private @Nullable IOException lastingFailure;

  FlushSequence(DriverInstance instance) {
    this.instance = instance;
    this.failsForGood = instance instanceof HostStored;
  }

  /** Says that there are changes that nobody notes: no flush is skipped any more. */
  void flushAlways() {
    always = true;
  }

  /** Notes that a change has ended, well or badly: it needs a flush that begins from now on. */
  void changeEnded() {
    generation.incrementAndGet();
  }

  /**
   * Makes durable what had completed when the call began.
   *
   * @throws IOException what the driver said, also to those who shared its call
   */
  void flush() throws IOException {
    Round round;
    boolean leads;
    lock.lock();
    try {
      throwAgain(lastingFailure);
      if (!always && flushedGeneration == generation.get()) {
        return;
      }
      round = join();
      leads = awaitTurn(round);
    } finally {
      lock.unlock();
    }
    if (leads) {
      lead(round);
    } else {
      throwAgain(round.failure);
    }
  }

  @GuardedBy("lock")
  private Round join() {
    Round round = next;
    if (round == null) {
      round = new Round();
      next = round;
    }
    return round;
  }

  /** Returns true when the caller shall run the round, false when it is over. */
  @GuardedBy("lock")
  private boolean awaitTurn(Round round) {
    while (!round.done && running != null) {
      changed.awaitUninterruptibly();
    }
    if (round.done) {
      return false;
    }
    next = null;
    running = round;
    if (lastingFailure != null) { // failed while this round waited: its writes are lost as well
      end(round, lastingFailure);
      return false;
    }
    return true;
  }

  private void lead(Round round) throws IOException {
    long covered = generation.get();
    IOException failure = null;
    boolean returned = false;
    try {
      instance.flush();
      returned = true;
    } catch (IOException refused) {
      failure = refused;
      throw refused;
    } finally {
      finish(round, covered, returned ? null : orBrokenOff(failure));
    }
  }

  private static IOException orBrokenOff(@Nullable IOException failure) {
    return failure != null ? failure : new BlockException(BlockError.IO, "flush broke off");
  }

  private void finish(Round round, long covered, @Nullable IOException failure) {
    lock.lock();
    try {
      if (failure == null) {
        flushedGeneration = covered;
      } else if (failsForGood) {
        lastingFailure = failure;
      }
      end(round, failure);
    } finally {
      lock.unlock();
    }
  }

  @GuardedBy("lock")
  private void end(Round round, @Nullable IOException failure) {
    round.failure = failure;
    round.done = true;
    running = null;
    changed.signalAll();
  }

  /** Each caller gets an exception of its own: suppressed ones are added to them later. */
  private static void throwAgain(@Nullable IOException failure) throws IOException {
    if (failure != null) {
      String message = String.valueOf(failure.getMessage());
      throw new BlockException(BlockException.errorOf(failure), message, failure);
    }
  }

  /** One call of the driver and those who share it; written under the lock, read once done. */
  private static final class Round {
    private boolean done;
    private @Nullable IOException failure;
  }
}
