// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse.channel;

import java.util.concurrent.locks.LockSupport;

/**
 * Looks from time to time whether a worker is stuck in a request while it is its turn to wait for
 * the next. Sleeps while nothing goes on.
 */
final class StuckWatch implements Runnable {
  /** A worker is stuck when two looks in a row find it in the same request. */
  private static final long LOOK_NANOS = 1_000_000;

  /**
   * With two workers there is time. Looking more often costs a tenth of the speed then, and takes
   * turns from those who have only lost the processor for a moment.
   */
  private static final long CALM_LOOK_NANOS = 10_000_000;

  /** After so many looks that saw nothing there is nothing to look at. */
  private static final int QUIET_LOOKS = 20;

  /** Nothing is missed by sleeping for good; a turn that found no thread is tried again then. */
  private static final long SLEEP_NANOS = 1_000_000_000L * 60;

  private final WorkerPool pool;
  private final Thread thread;
  private volatile boolean asleep;

  StuckWatch(WorkerPool pool) {
    this.pool = pool;
    this.thread = new Thread(this, "fuse-watch");
    thread.setDaemon(true);
  }

  /** Begins to look; returns whether the host had a thread for it. */
  boolean start() {
    try {
      thread.start();
      return true;
    } catch (OutOfMemoryError e) {
      return false;
    }
  }

  /** Has it look at once that the mount has ended. */
  void end() {
    LockSupport.unpark(thread);
  }

  /** Says that something goes on. Costs a look at a field if that is known. */
  void wake() {
    if (asleep) {
      LockSupport.unpark(thread);
    }
  }

  @Override
  public void run() {
    ChannelSession.declareWriter(); // those whom it starts inherit that
    int quietLooks = 0;
    while (!pool.turns().haveEnded()) {
      quietLooks = look() ? 0 : quietLooks + 1;
      if (quietLooks < QUIET_LOOKS) {
        LockSupport.parkNanos(this, pool.turns().isOne() ? LOOK_NANOS : CALM_LOOK_NANOS);
      } else {
        sleep();
      }
    }
  }

  /** Returns whether something goes on; a host that is short of everything is looked at again. */
  private boolean look() {
    try {
      pool.turns().place();
      return somethingGoesOn();
    } catch (OutOfMemoryError e) {
      return true;
    }
  }

  /** A worker says what it does before it looks here, so one of the two sees the other. */
  private void sleep() {
    asleep = true;
    if (!somethingGoesOn() && !pool.turns().haveEnded()) {
      LockSupport.parkNanos(this, SLEEP_NANOS);
    }
    asleep = false;
  }

  private boolean somethingGoesOn() {
    boolean found = pool.turns().nobodyHasOne();
    for (FuseWorker worker : pool.workers()) {
      found |= worker.relieveIfStuck();
    }
    return found;
  }
}
