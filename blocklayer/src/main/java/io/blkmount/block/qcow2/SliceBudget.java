// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import java.util.concurrent.atomic.AtomicLong;

/**
 * What several caches of metadata take together at most: a chain has up to 1,000 layers, and each
 * of them may want 32 MiB. A cache that finds nothing left uses its own memory again.
 */
final class SliceBudget {
  /** All caches of this process; more than one image of any size needs. */
  static final SliceBudget SHARED = new SliceBudget(256L << 20);

  private final long maxBytes;
  private final AtomicLong heldBytes = new AtomicLong();

  SliceBudget(long maxBytes) {
    this.maxBytes = maxBytes;
  }

  /** Returns whether so much more is left; a hint, because others take at the same time. */
  boolean hasLeft(long bytes) {
    return heldBytes.get() + bytes <= maxBytes;
  }

  void took(long bytes) {
    heldBytes.addAndGet(bytes);
  }

  void gaveBack(long bytes) {
    heldBytes.addAndGet(-bytes);
  }

  long heldBytes() {
    return heldBytes.get();
  }
}
