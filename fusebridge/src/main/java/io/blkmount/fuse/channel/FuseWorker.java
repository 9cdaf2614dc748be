// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse.channel;

import io.blkmount.block.error.BlockException;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;

/**
 * One thread of a mount. With the turn it waits for requests and serves them; the turn is passed on
 * before a request that may take long, and taken away from a worker that is stuck in one.
 *
 * <pre>
 *   waiting --request--> serving --done--> waiting --turn dropped--> idle
 *                           '--turn given away--> relieved --done--> idle --turn--> waiting
 * </pre>
 */
final class FuseWorker implements Runnable {
  private static final int WAITING = 0;
  private static final int SERVING = 1;
  private static final int RELIEVED = 2;
  private static final int IDLE = 3;
  private static final int STATES = 4;

  private final ChannelSession session;
  private final WorkerPool pool;

  /** How many requests were served, times {@link #STATES}, plus what goes on. */
  private final AtomicLong phase = new AtomicLong(IDLE);

  private final Semaphore turn = new Semaphore(0);

  /** What the watch saw when it last looked; its own. */
  private long seenPhase;

  FuseWorker(ChannelSession session, WorkerPool pool) {
    this.session = session;
    this.pool = pool;
  }

  @Override
  public void run() {
    boolean hasTurn = true;
    try (RequestMemory memory = pool.newMemory();
        DevFuse device = session.newDevice(memory)) {
      ChannelSession.declareWriter();
      RequestServer server = session.newServer(memory, device);
      Receiver receiver = new Receiver(device, memory, session.spinNanos());
      while (hasTurn) {
        phase.set(phase.get() & -STATES);
        serveWithTurn(receiver, server);
        phase.set(phase.get() | IDLE);
        hasTurn = false;
        hasTurn = pool.turns().await(this);
      }
    } catch (BlockException e) {
      pool.failures().note("one thread less: " + e.getMessage());
    } finally {
      pool.leave(this, hasTurn && state(endPhase()) != RELIEVED);
    }
  }

  /** Says that nothing can be taken from this worker any more; returns what it was in. */
  private long endPhase() {
    return phase.getAndUpdate(current -> current | IDLE);
  }

  /** Serves until the turn is somebody else's, or the mount has ended. */
  private void serveWithTurn(Receiver receiver, RequestServer server) {
    do {
      int length = receiver.look();
      if (length == Receiver.NOTHING) {
        if (pool.turns().drop(this)) {
          return;
        }
        length = receiver.sleep();
      }
      if (length == Receiver.END) {
        pool.end();
        return;
      }
      takeUp(receiver);
      serve(server);
    } while (finish());
  }

  /** Says that a request is here, and has another worker come if there will be more. */
  private void takeUp(Receiver receiver) {
    phase.set(phase.get() + SERVING);
    pool.wakeWatch();
    if (receiver.isBusy()) {
      pool.turns().add();
    }
  }

  private void serve(RequestServer server) {
    if (Opcode.mayTakeLong(server.opcode())) {
      relieve(phase.get());
      server.serve();
      return;
    }
    if (pool.serviceTime().isSlow()) {
      relieve(phase.get());
    }
    long start = System.nanoTime();
    server.serve();
    pool.serviceTime().add(System.nanoTime() - start, server.transferred());
  }

  /** Returns whether the turn is still here. */
  private boolean finish() {
    long current = phase.get();
    long next = (current & -STATES) + STATES;
    if (state(current) == SERVING && phase.compareAndSet(current, next)) {
      return true;
    }
    phase.set(next);
    return false;
  }

  /**
   * Gives the turn to another worker, once, and returns true if this one is still serving the same
   * request.
   */
  private boolean relieve(long current) {
    boolean relieves =
        state(current) == SERVING && phase.compareAndSet(current, current - SERVING + RELIEVED);
    if (relieves) {
      pool.turns().pass();
    }
    return relieves;
  }

  /**
   * Takes the turn away if nothing has moved since the last look.
   *
   * @return whether anything is going on
   */
  boolean relieveIfStuck() {
    long current = phase.get();
    boolean still = current == seenPhase;
    seenPhase = current;
    if (still && relieve(current)) {
      pool.serviceTime().addStuck();
    }
    int state = state(current);
    return !still || state == SERVING || state == RELIEVED;
  }

  /** Returns whether it takes the next request that comes. */
  boolean isWaiting() {
    return state(phase.get()) == WAITING;
  }

  private static int state(long phase) {
    return (int) (phase & (STATES - 1));
  }

  /** Gives this worker the turn. */
  void grant() {
    turn.release();
  }

  /** Waits for the turn; returns whether it came. Nobody has reason to interrupt a worker. */
  boolean awaitGrant(long timeoutMillis) {
    try {
      return turn.tryAcquire(timeoutMillis, TimeUnit.MILLISECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return false;
    }
  }

  /** Returns whether the turn is there. */
  boolean wasGranted() {
    return turn.tryAcquire();
  }
}
