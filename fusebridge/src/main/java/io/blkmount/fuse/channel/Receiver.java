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

  private final DevFuse device;
  private final RequestMemory memory;
  private final long spinNanos;

  private boolean spins;

  Receiver(DevFuse device, RequestMemory memory, long spinNanos) {
    this.device = device;
    this.memory = memory;
    this.spinNanos = spinNanos;
  }

  /** Waits for a request; returns its length, or {@link #END}. */
  int receive() {
    int length = device.receive(memory);
    if (length > 0) {
      return length; // there was one already: nothing to learn about waiting
    }
    return isNothingYet(length) ? waitFor() : end(length);
  }

  private int waitFor() {
    long start = System.nanoTime();
    int length = spins ? spin(start) : -Errnos.TRY_AGAIN;
    while (isNothingYet(length)) {
      device.awaitRequest(memory);
      length = device.receive(memory);
    }
    spins = System.nanoTime() - start < spinNanos;
    return length > 0 ? length : end(length);
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

  private static int end(int length) {
    if (length != -Errnos.NO_DEVICE && length != -ABORTED) {
      LOG.log(System.Logger.Level.ERROR, "no more requests from the kernel: errno " + -length);
    }
    return END;
  }
}
