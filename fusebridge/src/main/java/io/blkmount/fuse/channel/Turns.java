// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse.channel;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import java.util.ArrayDeque;
import java.util.Deque;

/**
 * Whose turn it is to wait for a request.
 *
 * <p>One worker waits while little goes on. Another turn is added while requests come without a
 * pause, and dropped by the first that finds nothing to do.
 */
final class Turns {
  /** Whoever had nothing to do for so long goes home. */
  private static final long IDLE_MILLIS = 5_000;

  private final int most;
  private final WorkerPool pool;

  @GuardedBy("this")
  private final Deque<FuseWorker> idle = new ArrayDeque<>();

  /** Turns that nobody could be found for; the next worker that comes takes one. */
  @GuardedBy("this")
  private int unplaced;

  /** How many there are, wherever they are; written under the lock. */
  private volatile int count;

  private volatile boolean ended;

  /**
   * @param most how many workers may wait at a time
   * @param pool where workers come from
   */
  Turns(int most, WorkerPool pool) {
    this.most = most;
    this.pool = pool;
  }

  /** Adds a turn, unless there are enough; costs a look at a field then. */
  void add() {
    if (count < most) {
      addNow();
    }
  }

  private synchronized void addNow() {
    if (count < most && !ended) {
      count++;
      pass();
    }
  }

  /**
   * Takes away the turn of a worker that has nothing to do, if another one has nothing to do either
   * and so takes what comes next.
   *
   * @return whether the turn was taken
   */
  synchronized boolean drop(FuseWorker worker) {
    boolean drops = count > 1 && pool.isAnotherWaiting(worker);
    count -= drops ? 1 : 0;
    return drops;
  }

  /** Returns whether one stuck worker would leave nobody to wait. */
  boolean isOne() {
    return count == 1;
  }

  /** Makes the first turn; returns whether the host had a thread for it. */
  synchronized boolean begin() {
    count = 1;
    ended = !pool.startWorker();
    return !ended;
  }

  /** Gives a turn to the worker that had one last, whose memory is still warm, or to a new one. */
  synchronized void pass() {
    if (!ended && !grantToIdle()) {
      unplaced++; // first, so that it is not lost if the host is short of everything
      place();
    }
  }

  /** Takes back the turn of a worker that ends: the host may be too short for another. */
  synchronized void leave() {
    if (!ended && !grantToIdle()) {
      unplaced++;
    }
  }

  /** Returns whether all of them wait for somebody to take them. */
  synchronized boolean nobodyHasOne() {
    return !ended && unplaced >= count;
  }

  @GuardedBy("this")
  private boolean grantToIdle() {
    FuseWorker next = idle.pollFirst();
    if (next != null) {
      next.grant();
    }
    return next != null;
  }

  /** Finds a worker for a turn that nobody took. */
  synchronized void place() {
    if (unplaced > 0 && !ended && pool.startWorker()) {
      unplaced--;
    }
  }

  /** Waits for a turn; false tells the worker to end. */
  boolean await(FuseWorker worker) {
    synchronized (this) {
      if (ended) {
        return false;
      }
      if (unplaced > 0) {
        unplaced--;
        return true;
      }
      idle.addFirst(worker);
    }
    return worker.awaitGrant(IDLE_MILLIS) ? !ended : wasGrantedAfterAll(worker);
  }

  /** The turn may have come just when the worker had waited long enough. */
  private synchronized boolean wasGrantedAfterAll(FuseWorker worker) {
    return !idle.remove(worker) && !ended && worker.wasGranted();
  }

  /** Sends everybody home. */
  synchronized void end() {
    ended = true;
    idle.forEach(FuseWorker::grant);
    idle.clear();
  }

  boolean haveEnded() {
    return ended;
  }
}
