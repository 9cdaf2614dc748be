// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.request;

import java.util.concurrent.atomic.AtomicReferenceArray;
import org.jspecify.annotations.Nullable;

/**
 * Places for requests that nothing stands in the way of: a thread puts its request into a place
 * near its own, and takes it out again, without a lock and mostly without touching memory that
 * other threads write to.
 */
final class RequestSlots {
  /** Places of threads whose numbers fall together; one cache line. */
  private static final int GROUP = 16;

  /** More than there are threads at work at once on most machines. */
  private static final int GROUPS = 8;

  private final AtomicReferenceArray<@Nullable TrackedRequest> places =
      new AtomicReferenceArray<>(GROUPS * GROUP);

  /** Puts a request into a place; false if those of its thread are all taken. */
  boolean enter(TrackedRequest request) {
    int hash = (int) (request.ownerId() * 0x9e3779b97f4a7c15L >>> 32);
    int group = (hash & (GROUPS - 1)) * GROUP;
    for (int i = 0; i < GROUP; i++) {
      int place = group + ((hash >>> 8) + i) % GROUP;
      request.place = place;
      if (places.getPlain(place) == null && places.compareAndSet(place, null, request)) {
        return true;
      }
    }
    request.place = TrackedRequest.NO_PLACE;
    return false;
  }

  /** Takes a request out of its place. */
  void leave(TrackedRequest request) {
    places.set(request.place, null);
  }

  /** Returns whether a request that was in a place has been taken out of it. */
  boolean hasLeft(TrackedRequest request) {
    return request.isInSlot() && places.get(request.place) != request;
  }

  int count() {
    return places.length();
  }

  /** Returns what is in a place, or null. */
  @Nullable TrackedRequest at(int place) {
    return places.get(place);
  }
}
