// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse.channel;

import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * The workers of a mount.
 *
 * <p>Few wait at a time: while requests are quick, the worker that took one is back before another
 * thread would have woken up. A request that may take long passes the turn on first, and a {@link
 * StuckWatch} takes it from whoever keeps it too long, so that a slow fsync, or a disk that does
 * not answer, stalls nobody.
 */
final class WorkerPool {
  /** Requests in the background, and some for callers in front. */
  private static final int MOST_WORKERS = InitHandshake.MAX_BACKGROUND + 16;

  private static final int WELL_EQUIPPED = 4;

  private final ChannelSession session;
  private final ServiceTime serviceTime = new ServiceTime();
  private final RareLog failures = new RareLog(FuseWorker.class);
  private final StuckWatch watch = new StuckWatch(this);
  private final Set<FuseWorker> workers = ConcurrentHashMap.newKeySet();
  private final AtomicInteger started = new AtomicInteger();
  private final Turns turns;

  /**
   * @param turns how many workers may wait for requests at a time
   */
  WorkerPool(ChannelSession session, int turns) {
    this.session = session;
    this.turns = new Turns(Math.min(turns, MOST_WORKERS), this);
  }

  /**
   * Begins to serve.
   *
   * @throws BlockException if the host has no thread for it
   */
  void start() throws BlockException {
    if (!watch.start() || !turns.begin()) {
      end();
      throw new BlockException(BlockError.NO_MEMORY, "no thread to serve the mount with");
    }
  }

  Turns turns() {
    return turns;
  }

  /** Returns where failures are noted that may come again and again. */
  RareLog failures() {
    return failures;
  }

  ServiceTime serviceTime() {
    return serviceTime;
  }

  Set<FuseWorker> workers() {
    return workers;
  }

  /** Returns memory for a worker: the best for the few that are there most of the time. */
  RequestMemory newMemory() throws BlockException {
    return workers.size() <= WELL_EQUIPPED
        ? RequestMemory.allocateHuge()
        : RequestMemory.allocate();
  }

  boolean isAnotherWaiting(FuseWorker than) {
    for (FuseWorker worker : workers) {
      if (worker != than && worker.isWaiting()) {
        return true;
      }
    }
    return false;
  }

  /** Says that a request is being served, so that somebody looks whether it ends. */
  void wakeWatch() {
    watch.wake();
  }

  /** Says that the kernel has let go of the mount. */
  void end() {
    turns.end();
    watch.end();
  }

  /** Says that a worker ends; the last one closes the session. */
  void leave(FuseWorker worker, boolean withTurn) {
    if (withTurn) {
      turns.leave();
      wakeWatch();
    }
    if (isLast(worker)) {
      session.close();
    }
  }

  private synchronized boolean isLast(FuseWorker worker) {
    return workers.remove(worker) && turns.haveEnded() && workers.isEmpty();
  }

  /** Starts a worker that has the turn; returns whether the host had a thread for it. */
  boolean startWorker() {
    if (workers.size() >= MOST_WORKERS) {
      return false;
    }
    FuseWorker worker = new FuseWorker(session, this);
    try {
      Thread thread = new Thread(worker, "fuse-" + started.incrementAndGet());
      thread.setDaemon(true);
      workers.add(worker);
      thread.start();
      return true;
    } catch (OutOfMemoryError e) {
      workers.remove(worker);
      failures.note("no more threads: serving with " + workers.size());
      return false;
    }
  }
}
