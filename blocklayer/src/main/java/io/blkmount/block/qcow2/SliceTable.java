// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import java.util.concurrent.atomic.AtomicReferenceArray;
import org.jspecify.annotations.Nullable;

/**
 * Slices by host offset: a hash table that is searched without a lock, and without an object for
 * the offset. A search sees every change that was complete when it began.
 *
 * <p>A slice lies in the place of its offset or, if that is taken, in the next one that is not; a
 * search ends at an empty place. What was removed leaves {@link #REMOVED} behind.
 */
final class SliceTable {
  private static final int FIRST_SIZE = 16;
  private static final Slice REMOVED = Slice.placeholder();

  /** Its length is a power of two; replaced by a larger one under the lock. */
  private volatile AtomicReferenceArray<@Nullable Slice> places =
      new AtomicReferenceArray<>(FIRST_SIZE);

  /** How many places are not empty. */
  @GuardedBy("this")
  private int taken;

  /** How many places hold a slice. */
  @GuardedBy("this")
  private int count;

  /** Returns the slice at {@code hostOffset}, or null. */
  @Nullable Slice find(long hostOffset) {
    AtomicReferenceArray<@Nullable Slice> table = places;
    int mask = table.length() - 1;
    int place = HostHash.of(hostOffset) & mask;
    Slice here;
    while ((here = table.getAcquire(place)) != null && here.hostOffset() != hostOffset) {
      place = (place + 1) & mask;
    }
    return here;
  }

  /** Adds a slice unless there is one at its offset; returns whether it was added. */
  synchronized boolean add(Slice slice) {
    if (places.getPlain(place(places, slice.hostOffset())) != null) {
      return false;
    }
    if (taken >= places.length() / 2) {
      rehash();
    }
    places.setRelease(place(places, slice.hostOffset()), slice);
    taken++;
    count++;
    return true;
  }

  /** Removes a slice that is in here. */
  synchronized void remove(Slice slice) {
    int place = place(places, slice.hostOffset());
    if (places.getPlain(place) == slice) {
      places.setRelease(place, REMOVED);
      count--;
    }
  }

  /** Returns the place of the slice at {@code hostOffset} or, if there is none, an empty one. */
  private static int place(AtomicReferenceArray<@Nullable Slice> table, long hostOffset) {
    int mask = table.length() - 1;
    int place = HostHash.of(hostOffset) & mask;
    while (true) {
      Slice here = table.getPlain(place);
      if (here == null || here.hostOffset() == hostOffset) {
        return place;
      }
      place = (place + 1) & mask;
    }
  }

  /** Leaves out what was removed and, unless that was a lot, doubles the room. */
  @GuardedBy("this")
  private void rehash() {
    AtomicReferenceArray<@Nullable Slice> old = places;
    int size = count < old.length() / 4 ? old.length() : old.length() * 2;
    AtomicReferenceArray<@Nullable Slice> fresh = new AtomicReferenceArray<>(size);
    for (int i = 0; i < old.length(); i++) {
      Slice slice = old.getPlain(i);
      if (slice != null && slice != REMOVED) {
        fresh.setPlain(place(fresh, slice.hostOffset()), slice);
      }
    }
    taken = count;
    places = fresh;
  }
}
