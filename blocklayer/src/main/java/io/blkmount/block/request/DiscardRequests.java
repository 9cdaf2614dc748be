// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.request;

import io.blkmount.block.bytes.Alignment;
import io.blkmount.block.driver.DriverInstance;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import java.io.IOException;

/** Discards the whole units inside a range, in pieces that the driver takes. */
final class DiscardRequests {
  private final DriverInstance instance;
  private final int unit;
  private final long longest;

  DiscardRequests(DriverInstance instance) {
    this.instance = instance;
    this.unit = instance.limits().discardAlignment();
    this.longest = Math.max(unit, Alignment.down(instance.limits().maxDiscard(), unit));
  }

  /** Returns whether the driver would do anything. */
  boolean isNative() {
    return instance.support().discard();
  }

  /**
   * Discards what can be, under a serialising request that the caller holds. A driver that cannot
   * is no failure: the bytes stay, which a discard allows.
   *
   * @param offset first byte, any alignment
   * @param end one past the last byte; the end of the disk counts as aligned
   */
  void discard(long offset, long end) throws IOException {
    long position = Alignment.up(offset, unit);
    long stop = end == instance.length() ? end : Alignment.down(end, unit);
    while (position < stop) {
      long count = Math.min(stop - position, longest);
      if (!tryDiscard(position, count)) {
        return;
      }
      position += count;
    }
  }

  private boolean tryDiscard(long offset, long count) throws IOException {
    try {
      instance.discard(offset, count);
      return true;
    } catch (BlockException failure) {
      if (failure.error() == BlockError.NOT_SUPPORTED) {
        return false;
      }
      throw failure;
    }
  }
}
