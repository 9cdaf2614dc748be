// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse.channel;

/**
 * Whether requests are served quickly, as from memory, or have to wait for something, as for a
 * disk: an average over the last few, which need not be exact and so takes no lock.
 */
final class ServiceTime {
  /** Serving small requests from memory takes a third of that. */
  private static final long SLOW_NANOS = 60_000;

  /** Moving two bytes takes less than a nanosecond; that is no waiting. */
  private static final int BYTES_PER_NANO_SHIFT = 1;

  /** One that lost the processor for milliseconds says nothing about the next. */
  private static final long MOST_NANOS = 4 * SLOW_NANOS;

  private static final int WEIGHT_SHIFT = 4;

  private long averageNanos;

  /** Takes note of a request. */
  void add(long nanos, int bytes) {
    addWaited(Math.max(0, nanos - (bytes >> BYTES_PER_NANO_SHIFT)));
  }

  /** Takes note of a request that does not end; after some of them all hands are called up. */
  void addStuck() {
    addWaited(MOST_NANOS);
  }

  private void addWaited(long nanos) {
    long waited = Math.min(nanos, MOST_NANOS);
    averageNanos += (waited - averageNanos) >> WEIGHT_SHIFT;
  }

  /** Returns whether another thread should rather take the next request meanwhile. */
  boolean isSlow() {
    return averageNanos > SLOW_NANOS;
  }
}
