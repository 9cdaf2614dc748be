// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.request;

import java.util.concurrent.locks.Condition;
import org.jspecify.annotations.Nullable;

/**
 * A request in flight on one node; ends when it is closed. Its links and its state belong to the
 * tracker and, except for its slot, are touched under the tracker's lock only.
 */
final class TrackedRequest implements AutoCloseable {
  static final int NO_PLACE = -1;

  private final RequestTracker tracker;
  private final Thread owner = Thread.currentThread();
  private final long offset;
  private final long end;
  private final boolean serialising;

  /** Neighbours in the order in which the requests began. */
  @Nullable TrackedRequest previous;

  @Nullable TrackedRequest next;

  /** Whether the owner sleeps until another request of the same tracker ends. */
  boolean waiting;

  /** Which slot it is in; belongs to the owner, and is set before others can find the request. */
  int place = NO_PLACE;

  /** Whether whoever takes it out of its slot has to wake somebody. */
  volatile boolean isAwaited;

  /** Signalled when this request ends; made by the first that waits for it. */
  @Nullable Condition ended;

  /**
   * Creates a request of the current thread.
   *
   * @param tracker whose list it will be in
   * @param offset first byte
   * @param end one past the last byte; equal to {@code offset} for a request that only counts
   * @param serialising whether it shares its range with nobody, else with requests that do not
   *     serialise
   */
  TrackedRequest(RequestTracker tracker, long offset, long end, boolean serialising) {
    this.tracker = tracker;
    this.offset = offset;
    this.end = end;
    this.serialising = serialising;
  }

  /** Returns whether it shares its range with nobody. */
  boolean isSerialising() {
    return serialising;
  }

  /** Returns whether it is, or was, in a slot and not in the list. */
  boolean isInSlot() {
    return place != NO_PLACE;
  }

  long ownerId() {
    return owner.getId();
  }

  /** Returns whether {@code thread} began it. */
  boolean isOwnedBy(Thread thread) {
    return owner == thread;
  }

  /** Returns whether the two must not run at the same time. */
  boolean conflictsWith(TrackedRequest other) {
    return (serialising || other.serialising) && offset < other.end && other.offset < end;
  }

  /** Ends the request and wakes those that wait for it. */
  @Override
  public void close() {
    tracker.end(this);
  }

  @Override
  public String toString() {
    String kind = serialising ? "serialising " : "";
    return kind + "request offset=" + offset + " length=" + (end - offset);
  }
}
