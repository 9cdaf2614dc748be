// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse.channel;

import io.blkmount.fuse.Errnos;

/**
 * Takes requests from a descriptor for one worker.
 *
 * <p>To wake a thread that sleeps on another processor costs more than to serve a small request. So
 * a worker that got its last request soon looks for the next one for a while before it sleeps; one
 * that had to wait long sleeps at once, so that nothing is spent while little is going on.
 */
final class Receiver {
  private static final System.Logger LOG = System.getLogger(Receiver.class.getName());

  /** What is given when there will be no more requests. */
  static final int END = 0;

  /** What {@link #look} gives when it has looked long enough. */
  static final int NOTHING = -1;

  /** So many requests without a pause are worth the price of waking another worker. */
  private static final int BUSY_STREAK = 64;

  /** ECONNABORTED: the mount was cut off. */
  private static final int ABORTED = 103;

  /** What the kernel cannot hand over fails there, and the next may go well; but not for ever. */
  private static final int MOST_FAILURES = 1000;

  private final DevFuse device;
  private final RequestMemory memory;
  private final long spinNanos;

  private boolean spins;
  private int streak;
  private int failures;

  Receiver(DevFuse device, RequestMemory memory, long spinNanos) {
    this.device = device;
    this.memory = memory;
    this.spinNanos = spinNanos;
  }

  /** Looks for a request; returns its length, {@link #END}, or {@link #NOTHING}. */
  int look() {
    int length = receive();
    if (length == NOTHING && spins) {
      length = spin(System.nanoTime());
    }
    spins = length > 0;
    streak = spins ? streak + 1 : 0;
    return length;
  }

  /** Sleeps until there is a request; returns its length, or {@link #END}. */
  int sleep() {
    long start = System.nanoTime();
    int length;
    do {
      device.awaitRequest(memory);
      length = receive();
    } while (length == NOTHING);
    spins = System.nanoTime() - start < spinNanos;
    return length;
  }

  /** Returns, every now and then, whether requests come without a pause. */
  boolean isBusy() {
    if (streak < BUSY_STREAK) {
      return false;
    }
    streak = 0;
    return true;
  }

  /** Whoever is to send the next request may want this very processor, and gets it. */
  private int spin(long start) {
    int length;
    do {
      Thread.yield();
      length = receive();
    } while (length == NOTHING && System.nanoTime() - start < spinNanos);
    return length;
  }

  private int receive() {
    int length;
    do {
      length = device.receive(memory);
    } while (length < 0 && !isNothingYet(length) && mayGoOn(length));
    if (isNothingYet(length)) {
      return NOTHING;
    }
    failures = 0;
    return Math.max(END, length);
  }

  /** Nothing there, a signal, or a request that was interrupted before it was taken. */
  private static boolean isNothingYet(int length) {
    return length == -Errnos.TRY_AGAIN
        || length == -Errnos.INTERRUPTED
        || length == -Errnos.NOT_FOUND;
  }

  /** ENODEV and ECONNABORTED are the end; the rest is trouble that may pass. */
  private boolean mayGoOn(int length) {
    boolean ended = length == -Errnos.NO_DEVICE || length == -ABORTED;
    if (!ended) {
      failures++;
      LOG.log(System.Logger.Level.ERROR, "a request was not received: errno " + -length);
    }
    return !ended && failures < MOST_FAILURES;
  }
}
