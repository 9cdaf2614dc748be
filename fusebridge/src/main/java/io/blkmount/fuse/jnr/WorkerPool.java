// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse.jnr;

import java.util.concurrent.atomic.AtomicInteger;

/**
 * The threads that serve a mount. There is always one that waits for a request: a worker that takes
 * the last one's place starts another, so that a slow fsync in all others stalls nobody.
 */
final class WorkerPool {
  private static final System.Logger LOG = System.getLogger(WorkerPool.class.getName());

  /** Requests in the background, and some for callers in front. */
  private static final int MOST_WORKERS = LibfuseArguments.MAX_BACKGROUND + 16;

  /** Waiting workers beyond this are sent home; fewer, and bursts would start threads for ever. */
  private static final int MOST_WAITING = 8;

  private final LibfuseSession session;
  private final int ready;

  /** Workers that wait for a request, or are on their way to it. */
  private final AtomicInteger waiting = new AtomicInteger();

  private final AtomicInteger workers = new AtomicInteger();
  private final AtomicInteger lastNumber = new AtomicInteger();

  WorkerPool(LibfuseSession session, int ready) {
    this.session = session;
    this.ready = Math.min(ready, MOST_WORKERS);
  }

  void start() {
    for (int i = 0; i < ready; i++) {
      startWorker();
    }
  }

  /** Says that the calling worker has a request to serve. */
  void leaveWaiting() {
    if (waiting.decrementAndGet() == 0 && workers.get() < MOST_WORKERS) {
      startAnother();
    }
  }

  /** Says that the calling worker is free again; false tells it to end. */
  boolean joinWaiting() {
    int most = Math.max(ready, MOST_WAITING);
    int before = waiting.getAndUpdate(count -> count < most ? count + 1 : count);
    return before < most;
  }

  /** Says that the calling worker ends; the last one closes the session. */
  void end() {
    if (workers.decrementAndGet() == 0) {
      session.close();
    }
  }

  /** The worker that found nobody waiting still has its request, so a failure must not end it. */
  private void startAnother() {
    try {
      startWorker();
    } catch (OutOfMemoryError e) {
      LOG.log(System.Logger.Level.WARNING, "no more threads: serving with " + workers.get(), e);
    }
  }

  private void startWorker() {
    Thread thread = new Thread(new Worker(session, this), "fuse-" + lastNumber.incrementAndGet());
    thread.setDaemon(true);
    workers.incrementAndGet();
    waiting.incrementAndGet();
    boolean started = false;
    try {
      thread.start();
      started = true;
    } finally {
      if (!started) {
        waiting.decrementAndGet();
        workers.decrementAndGet();
      }
    }
  }
}
