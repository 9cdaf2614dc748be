// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.bitmap;

import org.jspecify.annotations.Nullable;

/**
 * A part of a {@link HierarchicalBitmap}: at level 0 a leaf of 2^15 bits, at each level above 512
 * parts of the one below. A part that is all clear is null in its parent.
 *
 * <p>Positions count from the first bit of the part. Everything is changed under the lock of the
 * bitmap and may be looked at without it.
 */
abstract sealed class BitNode permits BitLeaf, BitBranch, BitFull {
  /** A leaf has 512 words. */
  static final int LEAF_SHIFT = 15;

  /** A branch has 512 children. */
  static final int FAN_SHIFT = 9;

  static final long NONE = -1;

  /** More would not fit into a long. */
  private static final int LEVELS = (Long.SIZE - 2 - LEAF_SHIFT) / FAN_SHIFT + 1;

  private static final BitNode[] FULL = full();

  private static BitNode[] full() {
    BitNode[] full = new BitNode[LEVELS];
    for (int level = 0; level < full.length; level++) {
      full[level] = new BitFull(level);
    }
    return full;
  }

  /** Returns log2 of how many bits a part of that level has. */
  static int shift(int level) {
    return LEAF_SHIFT + level * FAN_SHIFT;
  }

  /** Returns how many bits a part of that level has. */
  static long span(int level) {
    return 1L << shift(level);
  }

  /** Returns the part of that level in which all bits are set. */
  static BitNode full(int level) {
    return FULL[level];
  }

  /** Returns a new part of that level without a bit. */
  static BitNode empty(int level) {
    return level == 0 ? new BitLeaf() : new BitBranch(level);
  }

  /** Returns how many bits are set. */
  abstract long count();

  /** Returns whether all bits from {@code first} to {@code last}, that one too, are set. */
  abstract boolean isSet(long first, long last);

  /** Sets the bits from {@code first} to {@code last}; returns what to put in this one's place. */
  abstract BitNode set(long first, long last);

  /** Clears bits; returns what to put in this one's place, null if nothing is left. */
  abstract @Nullable BitNode clear(long first, long last);

  /** Returns the first bit from {@code from} on that is set, or {@link #NONE}. */
  abstract long nextSet(long from);

  /** Returns the first bit from {@code from} on that is clear, or {@link #NONE}. */
  abstract long nextClear(long from);

  /** Returns 64 bits, the first one lowest. */
  abstract long word(long index);

  /**
   * Sets those of 64 bits that are set in {@code bits}; returns what to put in this one's place.
   */
  abstract BitNode addWord(long index, long bits);
}
