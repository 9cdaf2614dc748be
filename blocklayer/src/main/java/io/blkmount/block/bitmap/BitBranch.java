// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.bitmap;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/** 512 parts of the level below. */
final class BitBranch extends BitNode {
  private static final VarHandle CHILDREN = MethodHandles.arrayElementVarHandle(BitNode[].class);
  private static final int CHILD_COUNT = 1 << FAN_SHIFT;

  private final int level;
  private final int childShift;
  private final @Nullable BitNode[] children = new BitNode[CHILD_COUNT];
  private long count;

  BitBranch(int level) {
    this.level = level;
    this.childShift = shift(level - 1);
  }

  static BitBranch filled(int level) {
    BitBranch branch = new BitBranch(level);
    Arrays.fill(branch.children, full(level - 1));
    branch.count = span(level);
    return branch;
  }

  /** Returns a branch whose first child is what was there before the bitmap grew. */
  static BitBranch above(BitNode first, int level) {
    BitBranch branch = new BitBranch(level);
    branch.replace(0, null, 0, first);
    return branch;
  }

  private @Nullable BitNode child(int index) {
    return (BitNode) CHILDREN.getAcquire(children, index);
  }

  private void replace(int index, @Nullable BitNode old, long countBefore, @Nullable BitNode node) {
    count += (node == null ? 0 : node.count()) - countBefore;
    if (node != old) {
      CHILDREN.setRelease(children, index, node);
    }
  }

  private int index(long bit) {
    return (int) (bit >> childShift);
  }

  private long start(int index) {
    return (long) index << childShift;
  }

  /** Returns the first bit, in the child, of a range. */
  private long firstIn(int index, long first) {
    return Math.max(first - start(index), 0);
  }

  /** Returns the last bit, in the child, of a range. */
  private long lastIn(int index, long last) {
    return Math.min(last - start(index), (1L << childShift) - 1);
  }

  private boolean isWhole(long first, long last) {
    return last - first == (1L << childShift) - 1;
  }

  @Override
  long count() {
    return count;
  }

  @Override
  boolean isSet(long first, long last) {
    for (int i = index(first); i <= index(last); i++) {
      BitNode child = child(i);
      if (child == null || !child.isSet(firstIn(i, first), lastIn(i, last))) {
        return false;
      }
    }
    return true;
  }

  @Override
  BitNode set(long first, long last) {
    for (int i = index(first); i <= index(last); i++) {
      BitNode child = children[i];
      long before = child == null ? 0 : child.count();
      replace(i, child, before, setIn(child, firstIn(i, first), lastIn(i, last)));
    }
    return orFull();
  }

  private BitNode setIn(@Nullable BitNode child, long first, long last) {
    if (isWhole(first, last)) {
      return full(level - 1);
    }
    return (child == null ? empty(level - 1) : child).set(first, last);
  }

  private BitNode orFull() {
    return count == span(level) ? full(level) : this;
  }

  @Override
  @Nullable BitNode clear(long first, long last) {
    for (int i = index(first); i <= index(last); i++) {
      BitNode child = children[i];
      if (child != null) {
        long before = child.count();
        long from = firstIn(i, first);
        long to = lastIn(i, last);
        replace(i, child, before, isWhole(from, to) ? null : child.clear(from, to));
      }
    }
    return count == 0 ? null : this;
  }

  @Override
  long nextSet(long from) {
    for (int i = index(from); i < CHILD_COUNT; i++) {
      BitNode child = child(i);
      long found = child == null ? NONE : child.nextSet(firstIn(i, from));
      if (found != NONE) {
        return start(i) + found;
      }
    }
    return NONE;
  }

  @Override
  long nextClear(long from) {
    for (int i = index(from); i < CHILD_COUNT; i++) {
      BitNode child = child(i);
      long found = child == null ? firstIn(i, from) : child.nextClear(firstIn(i, from));
      if (found != NONE) {
        return start(i) + found;
      }
    }
    return NONE;
  }

  @Override
  long word(long index) {
    BitNode child = child(index(index << 6));
    return child == null ? 0 : child.word(index & ((1L << (childShift - 6)) - 1));
  }

  @Override
  BitNode addWord(long index, long bits) {
    int i = index(index << 6);
    BitNode child = children[i];
    long before = child == null ? 0 : child.count();
    BitNode changed = child == null ? empty(level - 1) : child;
    replace(i, child, before, changed.addWord(index & ((1L << (childShift - 6)) - 1), bits));
    return orFull();
  }
}
