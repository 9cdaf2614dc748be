// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.request;

import io.blkmount.block.bytes.Alignment;
import io.blkmount.block.bytes.Zeroes;
import io.blkmount.block.driver.BlockLimits;
import io.blkmount.block.driver.DriverInstance;
import io.blkmount.block.driver.Extent;
import java.io.IOException;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/** One node as the classes of this package share it: its instance, its requests, what is below. */
final class Layer {
  private final DriverInstance instance;
  private final RequestTracker tracker = new RequestTracker();
  private final LayerReader reader;
  private final ShownLength length;
  private final long guardedLength;

  /** Changes only while this node is drained; volatile so that the next request sees it. */
  private volatile @Nullable Layer backing;

  /**
   * Creates a layer with nothing below.
   *
   * @param instance what it is
   * @param guardedLength how many bytes from the start are changed by one request at a time
   */
  Layer(DriverInstance instance, long guardedLength) {
    this.instance = instance;
    this.guardedLength = guardedLength;
    this.reader = new LayerReader(instance);
    this.length = new ShownLength(instance);
  }

  DriverInstance instance() {
    return instance;
  }

  BlockLimits limits() {
    return instance.limits();
  }

  ShownLength length() {
    return length;
  }

  RequestTracker tracker() {
    return tracker;
  }

  @Nullable Layer backing() {
    return backing;
  }

  void attachBacking(@Nullable Layer layer) {
    backing = layer;
  }

  /** Returns whether a change that begins at {@code offset} has to be a serialising one. */
  boolean isGuarded(long offset) {
    return offset < guardedLength;
  }

  /** Returns the unit that zero requests, discards and copy-on-read have to themselves. */
  int changeUnit() {
    BlockLimits limits = limits();
    int blocks = Math.max(limits.requestAlignment(), limits.zeroAlignment());
    return Math.max(Math.max(blocks, limits.discardAlignment()), limits.clusterSize());
  }

  /**
   * Begins a serialising request that is widened to multiples of {@code unit}, and to all of the
   * guarded part if it touches that. If padding it to whole blocks reaches past the end of the file
   * it takes everything from there on as well: such a change ends in cutting the file to its right
   * length, which would take along what others append.
   *
   * @param offset first byte
   * @param end one past the last byte
   * @param unit a power of two, at least the request alignment
   */
  TrackedRequest beginChange(long offset, long end, int unit) throws IOException {
    boolean guarded = isGuarded(offset);
    long start = guarded ? 0 : Alignment.down(offset, unit);
    long stop = Math.max(Alignment.up(end, unit), guarded ? guardedLength : 0);
    while (true) {
      boolean toInfinity = isPaddedPastEnd(end);
      TrackedRequest request = tracker.beginSerialising(start, toInfinity ? Long.MAX_VALUE : stop);
      boolean entered = false;
      try {
        entered = toInfinity || !isPaddedPastEnd(end);
      } finally {
        if (!entered) {
          request.close(); // the file shrank while it waited, or its length is not to be had
        }
      }
      if (entered) {
        return request;
      }
    }
  }

  /**
   * Begins a change of the length: a serialising request from the first byte that comes or goes to
   * infinity. It has all of that byte's unit, because a write beside it may fill up the rest of the
   * unit as far as the disk goes, which must not change meanwhile.
   *
   * @param newLength in bytes
   */
  TrackedRequest beginTruncate(long newLength) throws IOException {
    while (true) {
      long changed = Math.min(newLength, instance.length());
      TrackedRequest request =
          tracker.beginSerialising(Alignment.down(changed, changeUnit()), Long.MAX_VALUE);
      boolean entered = false;
      try {
        entered = Math.min(newLength, instance.length()) >= changed;
      } finally {
        if (!entered) {
          request.close(); // the file shrank while it waited, or its length is not to be had
        }
      }
      if (entered) {
        return request;
      }
    }
  }

  private boolean isPaddedPastEnd(long end) throws IOException {
    int alignment = limits().requestAlignment();
    return !Alignment.isAligned(end, alignment) && Alignment.up(end, alignment) > instance.length();
  }

  /**
   * Reads from this layer alone under a request that the caller holds.
   *
   * @param offset in bytes, any alignment
   * @param target where to, from its position on
   * @param count in bytes, at least 1
   * @return n &gt; 0 when n bytes were read (past the end: are zeros), n &lt; 0 when the first -n
   *     bytes are not in this layer
   */
  long readHeld(long offset, ByteBuffer target, int count) throws IOException {
    long inside = instance.length() - offset;
    if (inside > 0) {
      return reader.read(offset, target, (int) Math.min(count, inside));
    }
    return zeroFill(target, count);
  }

  /** Reads from this layer alone, tracked by it. The rest is as in {@link #readHeld}. */
  long readTracked(long offset, ByteBuffer target, int count) throws IOException {
    try (TrackedRequest request = tracker.begin(offset, offset + count)) {
      return readHeld(offset, target, count);
    }
  }

  /**
   * Returns how much from {@code offset} on is known not to be in this layer, without reading; 0 if
   * it has to be read. It is no tracked request: a change at the same time may or may not be seen.
   *
   * @param offset in bytes, any alignment
   * @param count in bytes, at least 1
   */
  int absentLength(long offset, int count) throws IOException {
    long inside = instance.length() - offset;
    return inside > 0 ? (int) instance.absentLength(offset, Math.min(count, inside)) : 0;
  }

  /**
   * Returns what this layer knows of a run, under a request that the caller holds.
   *
   * @param offset in bytes
   * @param maxLength in bytes, at least 1
   * @return a run that starts there; past the end it is zeros
   */
  Extent extentHeld(long offset, long maxLength) throws IOException {
    long inside = instance.length() - offset;
    return inside > 0
        ? instance.extentAt(offset, Math.min(maxLength, inside))
        : Extent.zero(offset, maxLength);
  }

  /** Returns the same, counted as a request in flight. */
  Extent extent(long offset, long maxLength) throws IOException {
    try (TrackedRequest request = tracker.begin(0, 0)) {
      return extentHeld(offset, maxLength);
    }
  }

  static long zeroFill(ByteBuffer target, int count) {
    int limit = target.limit();
    target.limit(target.position() + count);
    Zeroes.fill(target);
    target.limit(limit);
    return count;
  }
}
