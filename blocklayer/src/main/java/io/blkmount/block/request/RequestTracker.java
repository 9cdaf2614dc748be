// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.request;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * The requests in flight on one node. A serialising request has its range to itself; all others
 * share. Stands for QEMU's {@code tracked_requests} and {@code wait_serialising_requests()}.
 *
 * <p>A request that shares its range goes into a slot, without the lock, and then looks whether
 * anybody has announced a serialising one; if so it leaves the slot and joins the list. A
 * serialising request is announced first and looks into the slots after that. So one of the two
 * sees the other, and what a serialising one finds in a slot is older than it.
 *
 * <p>Who waits for whom: a request waits for those that conflict with it and began before it, so
 * that a stream of newcomers cannot starve one that waits, and two requests cannot wait for each
 * other. The exception is a request of a thread that already holds one on this node: what it would
 * meet waiting may be waiting for that thread, so it never waits for a request that waits itself;
 * the overtaken one then waits for it.
 */
final class RequestTracker {
  private final ReentrantLock lock = new ReentrantLock();
  private final Condition idle = lock.newCondition();

  @GuardedBy("lock")
  private @Nullable TrackedRequest first;

  @GuardedBy("lock")
  private @Nullable TrackedRequest last;

  private final RequestSlots slots = new RequestSlots();

  /** How many serialising requests and drains there are; above 0 no request stays in a slot. */
  private final AtomicInteger serialisingCount = new AtomicInteger();

  /**
   * Begins a request that shares its range; waits for serialising ones that overlap.
   *
   * @param offset first byte
   * @param end one past the last byte; equal to {@code offset} to be counted and nothing else
   */
  TrackedRequest begin(long offset, long end) {
    TrackedRequest request = new TrackedRequest(this, offset, end, false);
    if (serialisingCount.get() == 0 && slots.enter(request)) {
      if (serialisingCount.get() == 0) {
        return request;
      }
      endInSlot(request);
      request = new TrackedRequest(this, offset, end, false);
    }
    return enter(request);
  }

  /**
   * Begins a request that has its range to itself; waits for all that overlap, reads too.
   *
   * @param offset first byte
   * @param end one past the last byte
   */
  TrackedRequest beginSerialising(long offset, long end) {
    return enter(new TrackedRequest(this, offset, end, true));
  }

  private TrackedRequest enter(TrackedRequest request) {
    lock.lock();
    try {
      if (request.isSerialising()) {
        serialisingCount.incrementAndGet();
      }
      link(request);
      if (serialisingCount.get() > 0) {
        awaitTurn(request);
      }
      return request;
    } finally {
      lock.unlock();
    }
  }

  /** Ends a request: called by its {@code close}. */
  void end(TrackedRequest request) {
    if (request.isInSlot()) {
      endInSlot(request);
      return;
    }
    lock.lock();
    try {
      unlink(request);
    } finally {
      lock.unlock();
    }
  }

  /** The lock is taken only if somebody waits, who has said so before looking at the slot again. */
  private void endInSlot(TrackedRequest request) {
    slots.leave(request);
    if (request.isAwaited) {
      lock.lock();
      try {
        wakeThoseThatWaitFor(request);
      } finally {
        lock.unlock();
      }
    }
  }

  /**
   * Waits until nothing is in flight. Who wants that to last keeps new requests out.
   *
   * @throws IllegalStateException if the current thread holds a request: it would wait for itself
   */
  void drain() {
    lock.lock();
    try {
      if (isHeldBy(Thread.currentThread(), null)) {
        throw new IllegalStateException("drain by a thread that holds a tracked request");
      }
      serialisingCount.incrementAndGet(); // from here on no request stays in a slot
      try {
        awaitEmpty();
      } finally {
        serialisingCount.decrementAndGet();
      }
    } finally {
      lock.unlock();
    }
  }

  @GuardedBy("lock")
  private void awaitEmpty() {
    for (int i = 0; i < slots.count(); i++) {
      TrackedRequest request = slots.at(i);
      Condition ended;
      while (request != null && (ended = endOf(request)) != null) {
        ended.awaitUninterruptibly();
      }
    }
    while (first != null) {
      idle.awaitUninterruptibly();
    }
  }

  /** Waits; a request that cannot, because memory is out, leaves nothing behind. */
  @GuardedBy("lock")
  private void awaitTurn(TrackedRequest request) {
    boolean entered = false;
    try {
      awaitConflicts(request);
      entered = true;
    } finally {
      if (!entered) {
        unlink(request);
      }
    }
  }

  @GuardedBy("lock")
  private void awaitConflicts(TrackedRequest request) {
    boolean nested = isHeldBy(Thread.currentThread(), request);
    TrackedRequest blocker = conflict(request, nested);
    while (blocker != null) {
      if (blocker.isOwnedBy(Thread.currentThread())) {
        throw new IllegalStateException(request + " would wait for its own thread's " + blocker);
      }
      request.waiting = true;
      try {
        Condition ended = endOf(blocker);
        if (ended != null) {
          ended.awaitUninterruptibly();
        }
      } finally {
        request.waiting = false;
      }
      blocker = conflict(request, nested);
    }
  }

  /** Returns what is signalled when a request ends; null if it has ended. */
  @GuardedBy("lock")
  private @Nullable Condition endOf(TrackedRequest blocker) {
    Condition ended = blocker.ended;
    if (ended == null) {
      ended = lock.newCondition();
      blocker.ended = ended;
    }
    blocker.isAwaited = true;
    return slots.hasLeft(blocker) ? null : ended;
  }

  /** Returns a request that {@code request} has to wait for, or null. */
  @GuardedBy("lock")
  private @Nullable TrackedRequest conflict(TrackedRequest request, boolean nested) {
    TrackedRequest inSlot = request.isSerialising() ? conflictInSlots(request) : null;
    return inSlot != null ? inSlot : conflictInList(request, nested);
  }

  /** Returns a request in a slot that overlaps; it is older, does not wait, and shares. */
  private @Nullable TrackedRequest conflictInSlots(TrackedRequest request) {
    for (int i = 0; i < slots.count(); i++) {
      TrackedRequest other = slots.at(i);
      if (other != null && request.conflictsWith(other)) {
        return other;
      }
    }
    return null;
  }

  @GuardedBy("lock")
  private @Nullable TrackedRequest conflictInList(TrackedRequest request, boolean nested) {
    boolean older = true;
    for (TrackedRequest other = first; other != null; other = other.next) {
      if (other == request) {
        older = false;
      } else if (request.conflictsWith(other) && !(other.waiting && (nested || !older))) {
        return other;
      }
    }
    return null;
  }

  @GuardedBy("lock")
  private boolean isHeldBy(Thread thread, @Nullable TrackedRequest except) {
    for (int i = 0; i < slots.count(); i++) {
      TrackedRequest other = slots.at(i);
      if (other != null && other.isOwnedBy(thread)) {
        return true;
      }
    }
    for (TrackedRequest other = first; other != null; other = other.next) {
      if (other != except && other.isOwnedBy(thread)) {
        return true;
      }
    }
    return false;
  }

  @GuardedBy("lock")
  private void link(TrackedRequest request) {
    request.previous = last;
    if (last == null) {
      first = request;
    } else {
      last.next = request;
    }
    last = request;
  }

  @GuardedBy("lock")
  private void unlink(TrackedRequest request) {
    TrackedRequest previous = request.previous;
    TrackedRequest next = request.next;
    if (previous == null) {
      first = next;
    } else {
      previous.next = next;
    }
    if (next == null) {
      last = previous;
    } else {
      next.previous = previous;
    }
    if (request.isSerialising()) {
      serialisingCount.decrementAndGet();
    }
    wakeThoseThatWaitFor(request);
    if (first == null) {
      idle.signalAll();
    }
  }

  @GuardedBy("lock")
  private void wakeThoseThatWaitFor(TrackedRequest request) {
    if (request.ended != null) {
      request.ended.signalAll();
    }
  }
}
