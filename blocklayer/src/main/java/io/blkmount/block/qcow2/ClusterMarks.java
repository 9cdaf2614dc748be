// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.Arrays;

/**
 * A small number for each of a few host clusters: a hash table of longs, 11 to 22 bytes for a
 * cluster where a map of objects takes 80. An image of 128 GiB in clusters of 512 bytes has five
 * million tables.
 *
 * <p>Asking takes no lock and sees every change that was complete when it began.
 *
 * <pre>
 * slot  | 62..5 cluster index | 4..0 mark |  or EMPTY, or REMOVED; searched from the cluster's own
 *                                            place on until an EMPTY one
 * </pre>
 */
final class ClusterMarks {
  /** The mark of a cluster that has none. */
  static final int NONE = -1;

  private static final int MARK_BITS = 5;
  private static final int MARK_MASK = (1 << MARK_BITS) - 1;

  private static final long EMPTY = -1;

  /** Was in use: a search goes on, as what it looks for may lie behind. */
  private static final long REMOVED = -2;

  private static final int FIRST_SIZE = 64;
  private static final VarHandle SLOTS = MethodHandles.arrayElementVarHandle(long[].class);

  /** Its length is a power of two; replaced by a larger one under the lock. */
  private volatile long[] slots = empty(FIRST_SIZE);

  /** How many slots are not EMPTY. */
  @GuardedBy("this")
  private int taken;

  /** How many slots hold a cluster. */
  @GuardedBy("this")
  private int count;

  private static long[] empty(int size) {
    long[] slots = new long[size];
    Arrays.fill(slots, EMPTY);
    return slots;
  }

  int slotCount() {
    return slots.length;
  }

  /** Returns the mark of a cluster, or {@link #NONE}. */
  int get(long cluster) {
    long[] table = slots;
    long found = (long) SLOTS.getAcquire(table, find(table, cluster));
    return found >>> MARK_BITS == cluster ? (int) found & MARK_MASK : NONE;
  }

  /**
   * Marks a cluster.
   *
   * @param mark 0 to 31
   * @param whenMarked what it gets if it has a mark already
   */
  synchronized void put(long cluster, int mark, int whenMarked) {
    int slot = find(slots, cluster);
    boolean isNew = slots[slot] == EMPTY;
    if (isNew && isFull()) {
      rehash();
      slot = find(slots, cluster);
    }
    SLOTS.setRelease(slots, slot, cluster << MARK_BITS | (isNew ? mark : whenMarked));
    taken += isNew ? 1 : 0;
    count += isNew ? 1 : 0;
  }

  /** Takes the mark away, if there is one. */
  synchronized void remove(long cluster) {
    int slot = find(slots, cluster);
    if (slots[slot] != EMPTY) {
      SLOTS.setRelease(slots, slot, REMOVED);
      count--;
    }
  }

  /** Returns the slot that a cluster is in or, if there is none, an empty one where it can go. */
  private static int find(long[] table, long cluster) {
    int mask = table.length - 1;
    int slot = HostHash.of(cluster) & mask;
    while (true) {
      long here = (long) SLOTS.getAcquire(table, slot);
      if (here == EMPTY || here >>> MARK_BITS == cluster) {
        return slot;
      }
      slot = (slot + 1) & mask;
    }
  }

  @GuardedBy("this")
  private boolean isFull() {
    return taken >= slots.length - slots.length / 4;
  }

  /** Leaves out what was removed and, unless that was a lot, doubles the room. */
  @GuardedBy("this")
  private void rehash() {
    long[] old = slots;
    long[] fresh = empty(count < old.length / 2 ? old.length : Math.multiplyExact(old.length, 2));
    for (long entry : old) {
      if (entry >= 0) {
        fresh[find(fresh, entry >>> MARK_BITS)] = entry;
      }
    }
    taken = count;
    slots = fresh;
  }
}
