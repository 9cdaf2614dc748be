// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.backend;

import java.time.Instant;
import java.time.InstantSource;
import java.util.concurrent.atomic.AtomicLong;

/**
 * When the disk's bytes last changed. Not the image file's own time: that also moves when metadata
 * is written at a flush or at the end, and backup programs take a moved time for changed content.
 */
final class ModificationTime {
  private final AtomicLong nanos;
  private final InstantSource clock;
  private final Change change = this::touch;

  /** Starts with the time that the image had when it was opened, in nanoseconds since 1970. */
  ModificationTime(long nanos, InstantSource clock) {
    this.nanos = new AtomicLong(nanos);
    this.clock = clock;
  }

  /** A change under way. */
  @FunctionalInterface
  interface Change extends AutoCloseable {
    @Override
    void close();
  }

  /** Begins a change: the time moves when it ends, well or not, because bytes may differ then. */
  Change change() {
    return change;
  }

  long nanos() {
    return nanos.get();
  }

  private void touch() {
    Instant now = clock.instant();
    nanos.accumulateAndGet(now.getEpochSecond() * 1_000_000_000L + now.getNano(), Math::max);
  }
}
