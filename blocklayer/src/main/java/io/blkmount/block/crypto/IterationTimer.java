// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.crypto;

import java.util.function.LongSupplier;

/** Finds how many iterations of a key derivation this machine does in a given time. */
public final class IterationTimer {
  /** Fewer are refused by nobody and protect nobody; also what QEMU does at least. */
  static final int MIN_ITERATIONS = 1000;

  /** Shorter measurements say more about the machine's other work than about ours. */
  private static final long ENOUGH_NANOS = 50_000_000;

  private static final int FIRST_TRY = 1 << 10;

  /** Ends the search if the clock stands still. */
  private static final int LAST_TRY = 1 << 24;

  private static final long NANOS_PER_MILLI = 1_000_000;

  private final LongSupplier nanoClock;

  /**
   * Creates a timer.
   *
   * @param nanoClock gives nanoseconds since any moment, such as {@code System::nanoTime}
   */
  public IterationTimer(LongSupplier nanoClock) {
    this.nanoClock = nanoClock;
  }

  /**
   * Returns the iterations that take {@code millis}; at least 1000, at most what we open again.
   *
   * @param hash of the derivation
   * @param keyLength in bytes; longer keys take longer
   * @param millis how long a try of a passphrase shall take, not negative
   */
  int iterationsFor(HashAlgorithm hash, int keyLength, long millis) {
    int count = FIRST_TRY;
    long nanos = nanosFor(hash, keyLength, count);
    while (nanos < ENOUGH_NANOS && count < LAST_TRY) {
      count *= 2;
      nanos = nanosFor(hash, keyLength, count);
    }
    double wanted = (double) count * millis * NANOS_PER_MILLI / Math.max(1, nanos);
    return (int) Math.min(LuksHeader.MAX_ITERATIONS, Math.max(MIN_ITERATIONS, wanted));
  }

  private long nanosFor(HashAlgorithm hash, int keyLength, int iterations) {
    Pbkdf2 work = new Pbkdf2(hash, FixedBytes.zeros(LuksHeader.SALT_LENGTH), iterations);
    long start = nanoClock.getAsLong();
    work.derive(new byte[LuksHeader.SALT_LENGTH], keyLength).close();
    return nanoClock.getAsLong() - start;
  }
}
