// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse;

/**
 * How requests come from the kernel, and who serves them.
 *
 * @param transport {@link #AUTO} or the name of a {@link Transport}
 * @param threads how many threads wait for requests when nothing is going on, or {@link
 *     #AS_MEASURED}; more come and go with the load
 * @param spinMicros how long a thread looks for the next request before it sleeps, in microseconds;
 *     it does so only while requests follow each other that closely. 0 for never
 * @param passthrough whether the kernel may read and write an image file by itself
 */
public record ServingOptions(
    String transport, int threads, int spinMicros, Passthrough passthrough) {
  /** Takes the fastest transport that works here. */
  public static final String AUTO = "auto";

  /** As many threads as were measured to be best for the transport. */
  public static final int AS_MEASURED = 0;

  /** A little longer than it takes a program to come back with the next megabyte. */
  public static final int DEFAULT_SPIN_MICROS = 200;

  /** What is best for most. */
  public static final ServingOptions DEFAULT =
      new ServingOptions(AUTO, AS_MEASURED, DEFAULT_SPIN_MICROS, Passthrough.AUTO);

  /** Whether the kernel may read and write an image file by itself. */
  public enum Passthrough {
    /** Where it changes nothing but the speed. */
    AUTO,
    /** As for {@link #AUTO}, and what stands in the way is logged. */
    ON,
    /** Never. */
    OFF
  }

  /** Checks the values. */
  public ServingOptions {
    if (threads < 0 || spinMicros < 0) {
      throw new IllegalArgumentException("threads=" + threads + " spinMicros=" + spinMicros);
    }
  }

  /**
   * Returns the number of threads.
   *
   * @param measured what to use if nobody said
   */
  public int threadsOr(int measured) {
    return threads == AS_MEASURED ? measured : threads;
  }

  /**
   * Returns these options with another transport.
   *
   * @param transport {@link #AUTO} or its name
   */
  public ServingOptions withTransport(String transport) {
    return new ServingOptions(transport, threads, spinMicros, passthrough);
  }

  /**
   * Returns these options with another number of threads.
   *
   * @param threads at least 1, or {@link #AS_MEASURED}
   */
  public ServingOptions withThreads(int threads) {
    return new ServingOptions(transport, threads, spinMicros, passthrough);
  }

  /**
   * Returns these options with another patience.
   *
   * @param spinMicros in microseconds, 0 for none
   */
  public ServingOptions withSpinMicros(int spinMicros) {
    return new ServingOptions(transport, threads, spinMicros, passthrough);
  }

  /**
   * Returns these options with or without passthrough.
   *
   * @param passthrough whether the kernel may
   */
  public ServingOptions withPassthrough(Passthrough passthrough) {
    return new ServingOptions(transport, threads, spinMicros, passthrough);
  }
}
