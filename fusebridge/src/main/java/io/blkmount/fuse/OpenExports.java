// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import java.io.IOException;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * The handles of a mount: one for each open(2) that has not been closed.
 *
 * <p>A handle keeps its file for as long as it is open, whatever becomes of the tree. Each request
 * looks its handle up, so that takes no lock and makes no garbage: a handle is the index of a slot
 * and, above it, how often the slot was taken, and the slots are replaced whole.
 *
 * <pre>
 *   63          32 31           0
 *   | taken, from 1 |   slot      |
 * </pre>
 */
public final class OpenExports {
  private static final int FIRST_SLOTS = 8;

  private volatile Slot[] slots = emptySlots(FIRST_SLOTS);

  /** Counts up with every open, so that a handle never comes back. */
  @GuardedBy("this")
  private int taken;

  @GuardedBy("this")
  private int count;

  /** One place for a handle; without a file it is free. */
  private record Slot(long handle, ExportTree.@Nullable Entry entry) {
    static final Slot FREE = new Slot(0, null);
  }

  /** Creates a table without handles. */
  public OpenExports() {}

  /**
   * Opens a file.
   *
   * @param entry the file
   * @param flags as open(2) has them
   * @return the handle, never 0
   * @throws IOException with {@code READ_ONLY}, {@code IS_DIRECTORY} or what O_TRUNC met
   */
  public long open(ExportTree.Entry entry, int flags) throws IOException {
    exportOf(entry).open(flags);
    return add(entry);
  }

  private synchronized long add(ExportTree.Entry entry) {
    int slot = freeSlot();
    Slot[] next = Arrays.copyOf(slots, slots.length);
    taken = Math.max(1, taken + 1);
    next[slot] = new Slot((long) taken << Integer.SIZE | slot, entry);
    slots = next;
    count++;
    return next[slot].handle();
  }

  @GuardedBy("this")
  private int freeSlot() {
    for (int i = 0; i < slots.length; i++) {
      if (slots[i].entry() == null) {
        return i;
      }
    }
    int first = slots.length;
    Slot[] more = Arrays.copyOf(slots, 2 * first);
    Arrays.fill(more, first, more.length, Slot.FREE);
    slots = more;
    return first;
  }

  /**
   * Returns what a handle was opened on.
   *
   * @param handle from {@link #open}
   * @throws BlockException with {@code STALE} for a handle that is not open
   */
  public ExportTree.Entry entry(long handle) throws BlockException {
    Slot[] current = slots;
    int index = (int) handle;
    if (index >= 0 && index < current.length && current[index].handle() == handle) {
      ExportTree.Entry entry = current[index].entry();
      if (entry != null) {
        return entry;
      }
    }
    throw new BlockException(BlockError.STALE, "handle " + handle + " is not open");
  }

  /**
   * Returns the file of a handle.
   *
   * @param handle from {@link #open}
   * @throws BlockException with {@code STALE} for a handle that is not open
   */
  public Export export(long handle) throws BlockException {
    return exportOf(entry(handle));
  }

  /**
   * Forgets a handle; there is nothing left to fail.
   *
   * @param handle from {@link #open}; one that is not open is ignored
   */
  public synchronized void release(long handle) {
    int index = (int) handle;
    if (handle != 0 && index >= 0 && index < slots.length && slots[index].handle() == handle) {
      Slot[] next = Arrays.copyOf(slots, slots.length);
      next[index] = Slot.FREE;
      slots = next;
      count--;
    }
  }

  /** Forgets every handle: the kernel sends no release for those it drops with the mount. */
  public synchronized void releaseAll() {
    slots = emptySlots(FIRST_SLOTS);
    count = 0;
  }

  /** Returns how many handles are open. */
  public synchronized int count() {
    return count;
  }

  /**
   * Returns the file at an entry.
   *
   * @param entry of a tree
   * @throws BlockException with {@code IS_DIRECTORY} for the root directory
   */
  public static Export exportOf(ExportTree.Entry entry) throws BlockException {
    Export export = entry.export();
    if (export == null) {
      throw new BlockException(BlockError.IS_DIRECTORY, "the root of the mount is a directory");
    }
    return export;
  }

  private static Slot[] emptySlots(int count) {
    Slot[] empty = new Slot[count];
    Arrays.fill(empty, Slot.FREE);
    return empty;
  }
}
