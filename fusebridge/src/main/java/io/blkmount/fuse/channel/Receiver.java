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

  /** What {@link #receive} gives when there will be no more requests. */
  static final int END = 0;

  /** ECONNABORTED: the mount was cut off. */
  private static final int ABORTED = 103;

  /** What the kernel cannot hand over fails there, and the next may go well; but not for ever. */
  private static final int MOST_FAILURES = 1000;

  private final DevFuse device;
  private final RequestMemory memory;
  private final long spinNanos;

  private boolean spins;
  private int failures;

  Receiver(DevFuse device, RequestMemory memory, long spinNanos) {
    this.device = device;
    this.memory = memory;
    this.spinNanos = spinNanos;
  }

  /** Waits for a request; returns its length, or {@link #END}. */
  int receive() {
    int length;
    do {
      length = device.receive(memory);
      if (isNothingYet(length)) {
        length = waitFor();
      }
    } while (length < 0 && mayGoOn(length));
    failures = length > 0 ? 0 : failures;
    return Math.max(END, length);
  }

  /** Returns what came, or what went wrong as a negative errno. */
  private int waitFor() {
    long start = System.nanoTime();
    int length = spins ? spin(start) : -Errnos.TRY_AGAIN;
    while (isNothingYet(length)) {
      device.awaitRequest(memory);
      length = device.receive(memory);
    }
    spins = System.nanoTime() - start < spinNanos;
    return length;
  }

  private int spin(long start) {
    int length;
    do {
      Thread.onSpinWait();
      length = device.receive(memory);
    } while (isNothingYet(length) && System.nanoTime() - start < spinNanos);
    return length;
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
