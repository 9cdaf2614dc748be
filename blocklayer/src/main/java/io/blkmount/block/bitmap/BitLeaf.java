// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.bitmap;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/** 2^15 bits in words of 64. */
final class BitLeaf extends BitNode {
  private static final VarHandle WORDS = MethodHandles.arrayElementVarHandle(long[].class);
  private static final int WORD_COUNT = 1 << (LEAF_SHIFT - 6);

  private final long[] words = new long[WORD_COUNT];
  private int count;

  static BitLeaf filled() {
    BitLeaf leaf = new BitLeaf();
    Arrays.fill(leaf.words, -1);
    leaf.count = 1 << LEAF_SHIFT;
    return leaf;
  }

  @Override
  long count() {
    return count;
  }

  @Override
  boolean isSet(long first, long last) {
    for (int i = (int) (first >> 6); i <= (int) (last >> 6); i++) {
      long wanted = mask(i, first, last);
      if ((word(i) & wanted) != wanted) {
        return false;
      }
    }
    return true;
  }

  @Override
  BitNode set(long first, long last) {
    for (int i = (int) (first >> 6); i <= (int) (last >> 6); i++) {
      replace(i, words[i] | mask(i, first, last));
    }
    return orFull();
  }

  @Override
  @Nullable BitNode clear(long first, long last) {
    for (int i = (int) (first >> 6); i <= (int) (last >> 6); i++) {
      replace(i, words[i] & ~mask(i, first, last));
    }
    return count == 0 ? null : this;
  }

  private void replace(int index, long word) {
    count += Long.bitCount(word) - Long.bitCount(words[index]);
    WORDS.setRelease(words, index, word);
  }

  private BitNode orFull() {
    return count == 1 << LEAF_SHIFT ? full(0) : this;
  }

  /** Returns the bits of one word that lie in a range. */
  private static long mask(int index, long first, long last) {
    long start = (long) index << 6;
    long low = first <= start ? -1 : -1L << first;
    long high = last >= start + 63 ? -1 : -1L >>> (63 - last);
    return low & high;
  }

  @Override
  long nextSet(long from) {
    for (int i = (int) (from >> 6); i < WORD_COUNT; i++) {
      long word = word(i) & mask(i, from, Long.MAX_VALUE);
      if (word != 0) {
        return ((long) i << 6) + Long.numberOfTrailingZeros(word);
      }
    }
    return NONE;
  }

  @Override
  long nextClear(long from) {
    for (int i = (int) (from >> 6); i < WORD_COUNT; i++) {
      long word = ~word(i) & mask(i, from, Long.MAX_VALUE);
      if (word != 0) {
        return ((long) i << 6) + Long.numberOfTrailingZeros(word);
      }
    }
    return NONE;
  }

  @Override
  long word(long index) {
    return (long) WORDS.getAcquire(words, (int) index);
  }

  @Override
  BitNode addWord(long index, long bits) {
    replace((int) index, words[(int) index] | bits);
    return orFull();
  }
}
