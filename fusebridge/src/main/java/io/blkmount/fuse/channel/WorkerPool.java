// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse.channel;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;

/**
 * The workers of a mount, and whose turn it is to wait for a request.
 *
 * <p>Few wait at a time, one unless asked for more: while requests are quick, the worker that took
 * one is back before another thread would have woken up. A request that may take long passes the
 * turn on first, and a {@link StuckWatch} takes it from whoever keeps it too long, so that a slow
 * fsync, or a disk that does not answer, stalls nobody.
 */
final class WorkerPool {
  /** Requests in the background, and some for callers in front. */
  private static final int MOST_WORKERS = InitHandshake.MAX_BACKGROUND + 16;

  /** Whoever had nothing to do for so long goes home. */
  private static final long IDLE_MILLIS = 5_000;

  private final ChannelSession session;
  private final ServiceTime serviceTime = new ServiceTime();
  private final RareLog failures = new RareLog(FuseWorker.class);
  private final StuckWatch watch = new StuckWatch(this);
  private final List<FuseWorker> workers = new CopyOnWriteArrayList<>();

  @GuardedBy("this")
  private final Deque<FuseWorker> idle = new ArrayDeque<>();

  /** Turns that nobody could be found for; the next worker that comes takes one. */
  @GuardedBy("this")
  private int freeTurns;

  @GuardedBy("this")
  private int lastNumber;

  private volatile boolean ended;

  WorkerPool(ChannelSession session) {
    this.session = session;
  }

  /**
   * Begins to serve.
   *
   * @param turns how many workers may wait for requests at a time
   * @throws BlockException if the host has no thread for even one
   */
  synchronized void start(int turns) throws BlockException {
    for (int i = 0; i < Math.min(turns, MOST_WORKERS); i++) {
      passTurn();
    }
    if (workers.isEmpty() || !watch.start()) {
      ended = true;
      throw new BlockException(BlockError.NO_MEMORY, "no thread to serve the mount with");
    }
  }

  /** Returns where failures are noted that may come again and again. */
  RareLog failures() {
    return failures;
  }

  ServiceTime serviceTime() {
    return serviceTime;
  }

  List<FuseWorker> workers() {
    return workers;
  }

  boolean hasEnded() {
    return ended;
  }

  /** Says that a request is being served, so that somebody looks whether it ends. */
  void wakeWatch() {
    watch.wake();
  }

  /** Gives a turn to the worker that had one last, whose memory is still warm, or to a new one. */
  synchronized void passTurn() {
    if (ended) {
      return;
    }
    FuseWorker next = idle.pollFirst();
    if (next != null) {
      next.grant();
    } else if (!startWorker()) {
      freeTurns++;
    }
  }

  /** Waits for a turn; false tells the worker to end. */
  boolean awaitTurn(FuseWorker worker) {
    synchronized (this) {
      if (ended) {
        return false;
      }
      if (freeTurns > 0) {
        freeTurns--;
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

  /** Says that the kernel has let go of the mount. */
  synchronized void end() {
    ended = true;
    idle.forEach(FuseWorker::grant);
    idle.clear();
    watch.end();
  }

  /**
   * Says that a worker ends; the last one closes the session. A turn that it leaves waits for
   * others, if there are any: they may be short of memory or threads as well.
   */
  void leave(FuseWorker worker, boolean withTurn) {
    boolean last;
    synchronized (this) {
      workers.remove(worker);
      last = ended && workers.isEmpty();
      if (withTurn && !ended) {
        leaveTurn();
      }
    }
    if (last) {
      session.close();
    }
  }

  @GuardedBy("this")
  private void leaveTurn() {
    FuseWorker next = idle.pollFirst();
    if (next != null) {
      next.grant();
    } else {
      freeTurns++;
    }
  }

  /** Finds a worker for turns that nobody took; the watch asks now and then. */
  synchronized void placeFreeTurns() {
    if (freeTurns > 0 && !ended && startWorker()) {
      freeTurns--;
    }
  }

  /** Starts a worker that has the turn; returns whether the host had a thread for it. */
  @GuardedBy("this")
  private boolean startWorker() {
    if (workers.size() >= MOST_WORKERS) {
      return false;
    }
    FuseWorker worker = null;
    try {
      worker = new FuseWorker(session, this);
      Thread thread = new Thread(worker, "fuse-" + ++lastNumber);
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
