// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import java.util.SplittableRandom;

/**
 * Spreads places in the host file over a hash table. Who makes up an image chooses where its tables
 * lie: had they the same hash in every process, all could want the same slots, and every search
 * would go through all of them.
 */
final class HostHash {
  /** Odd, so that no two places become one. */
  private static final long SECRET = new SplittableRandom().nextLong() | 1;

  private static final long GOLDEN = 0x9e3779b97f4a7c15L;

  private HostHash() {}

  /** Returns a number, whose low bits are well mixed, for an offset or the index of a cluster. */
  static int of(long place) {
    long mixed = place * SECRET;
    return (int) ((mixed ^ mixed >>> 32) * GOLDEN >>> 32);
  }
}
