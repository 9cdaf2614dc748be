// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.bitmap;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * Very many bits, most of them clear or most of them set: a tree in which both take no memory. A
 * leaf is made when the first of its bits differs from the others.
 *
 * <p>Any number of threads may call at once. What was set before a call began is seen by it; to set
 * what is set already takes no lock and leaves no garbage.
 */
public final class HierarchicalBitmap {
  private final ReentrantLock lock = new ReentrantLock();
  private volatile Root root;

  /**
   * The tree at one moment.
   *
   * @param size number of bits
   * @param level of the topmost part, which has at least so many; those behind are clear
   * @param node that part, null if all is clear
   */
  private record Root(long size, int level, @Nullable BitNode node) {
    long count() {
      return node == null ? 0 : node.count();
    }
  }

  /**
   * Creates a bitmap with all bits clear.
   *
   * @param size number of bits, 0 to 2^60
   */
  public HierarchicalBitmap(long size) {
    root = grown(new Root(0, 0, null), size);
  }

  private static Root grown(Root from, long size) {
    int level = from.level();
    BitNode node = from.node();
    while (BitNode.span(level) < size) {
      level++;
      node = node == null ? null : BitBranch.above(node, level);
    }
    return new Root(size, level, node);
  }

  /** Returns the number of bits. */
  public long size() {
    return root.size();
  }

  /** Returns how many bits are set. */
  public long count() {
    lock.lock();
    try {
      return root.count();
    } finally {
      lock.unlock();
    }
  }

  /**
   * Returns whether all bits of a range are set; those past the end are not asked.
   *
   * @param from first bit
   * @param to one past the last bit, above {@code from}
   */
  public boolean isSet(long from, long to) {
    Root now = root;
    long last = Math.min(to, now.size()) - 1;
    return from > last || (now.node() != null && now.node().isSet(from, last));
  }

  /**
   * Sets the bits of a range; those past the end do not exist.
   *
   * @param from first bit
   * @param to one past the last bit, above {@code from}
   * @return whether any was clear
   */
  public boolean set(long from, long to) {
    return !isSet(from, to) && setLocked(from, to);
  }

  private boolean setLocked(long from, long to) {
    lock.lock();
    try {
      long last = Math.min(to, root.size()) - 1;
      long before = root.count();
      if (from <= last) {
        replace(own().set(from, last));
      }
      return root.count() != before;
    } finally {
      lock.unlock();
    }
  }

  @GuardedBy("lock")
  private BitNode own() {
    BitNode node = root.node();
    return node == null ? BitNode.empty(root.level()) : node;
  }

  @GuardedBy("lock")
  private void replace(@Nullable BitNode node) {
    if (node != root.node()) {
      root = new Root(root.size(), root.level(), node);
    }
  }

  /**
   * Clears the bits of a range; those past the end do not exist.
   *
   * @param from first bit
   * @param to one past the last bit, above {@code from}
   * @return whether any was set
   */
  public boolean clear(long from, long to) {
    lock.lock();
    try {
      BitNode node = root.node();
      long last = Math.min(to, root.size()) - 1;
      long before = root.count();
      if (node != null && from <= last) {
        replace(node.clear(from, last));
      }
      return root.count() != before;
    } finally {
      lock.unlock();
    }
  }

  /**
   * Returns the first bit from {@code from} on that is set, or -1.
   *
   * @param from not negative
   */
  public long nextSet(long from) {
    Root now = root;
    return now.node() == null || from >= now.size() ? BitNode.NONE : now.node().nextSet(from);
  }

  /**
   * Returns the first bit from {@code from} on that is clear, or -1.
   *
   * @param from not negative
   */
  public long nextClear(long from) {
    Root now = root;
    if (now.node() == null || from >= now.size()) {
      return from < now.size() ? from : BitNode.NONE;
    }
    long found = now.node().nextClear(from);
    return found < now.size() ? found : BitNode.NONE;
  }

  /**
   * Returns 64 bits, the first one lowest; 0 past the end.
   *
   * @param index of the word
   */
  public long word(long index) {
    Root now = root;
    return now.node() == null || index << 6 >= now.size() ? 0 : now.node().word(index);
  }

  /**
   * Sets those of 64 bits that are set in {@code bits}, and none past the end.
   *
   * @param index of the word
   * @param bits the first one lowest
   */
  public void addWord(long index, long bits) {
    lock.lock();
    try {
      long inside = root.size() - (index << 6);
      long added = inside >= Long.SIZE ? bits : inside <= 0 ? 0 : bits & (-1L >>> -inside);
      if (added != 0) {
        replace(own().addWord(index, added));
      }
    } finally {
      lock.unlock();
    }
  }

  /**
   * Changes the number of bits: new ones are clear.
   *
   * @param size 0 to 2^60
   */
  public void resize(long size) {
    lock.lock();
    try {
      if (size < root.size()) {
        clear(size, root.size());
        root = new Root(size, root.level(), root.node());
      } else {
        root = grown(root, size);
      }
    } finally {
      lock.unlock();
    }
  }
}
