// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.bitmap;

import io.blkmount.block.bytes.Alignment;
import io.blkmount.block.bytes.ByteRange;
import java.lang.invoke.VarHandle;
import org.jspecify.annotations.Nullable;

/**
 * Which parts of a disk were written since it was made or cleared: a bit for each granule.
 *
 * <p>What is written is marked after the bytes have changed and before the write is over. So who
 * clears a granule first and reads it then misses nothing: a write that it does not see yet marks
 * the granule again.
 */
public final class DirtyBitmap {
  /** A sector. */
  public static final int MIN_GRANULARITY_BITS = 9;

  /** 2 GiB. */
  public static final int MAX_GRANULARITY_BITS = 31;

  private final int granularityBits;
  private final HierarchicalBitmap granules;
  private volatile long length;
  private volatile boolean recording;
  private volatile boolean changed;

  /**
   * Creates a bitmap that is clean and does not record.
   *
   * @param length of the disk in bytes
   * @param granularityBits log2 of the granule's size in bytes, 9 to 31
   */
  public DirtyBitmap(long length, int granularityBits) {
    if (granularityBits < MIN_GRANULARITY_BITS || granularityBits > MAX_GRANULARITY_BITS) {
      throw new IllegalArgumentException("granularity of 2^" + granularityBits);
    }
    this.granularityBits = granularityBits;
    this.length = length;
    this.granules = new HierarchicalBitmap(granuleCount(length));
  }

  private long granuleCount(long bytes) {
    return bytes == 0 ? 0 : ((bytes - 1) >> granularityBits) + 1;
  }

  /** Returns log2 of the granule's size in bytes. */
  public int granularityBits() {
    return granularityBits;
  }

  /** Returns the length of the disk in bytes. */
  public long length() {
    return length;
  }

  /** Returns the bits, for who stores them: one for each granule, from the first on. */
  public HierarchicalBitmap granules() {
    return granules;
  }

  /** Returns whether writes are marked. */
  public boolean isRecording() {
    return recording;
  }

  /**
   * Begins or stops to mark writes.
   *
   * @param on whether to
   */
  public void recording(boolean on) {
    recording = on;
  }

  /** Returns whether a bit has changed since the last {@link #settle}. */
  public boolean isChanged() {
    return changed;
  }

  /** Says that the bits are where they belong; no change is made at the same time. */
  public void settle() {
    changed = false;
  }

  /**
   * Marks what a write has changed, if writes are marked.
   *
   * @param offset first byte
   * @param end one past the last byte, above {@code offset}
   */
  public void record(long offset, long end) {
    if (recording) {
      // The bits are looked at without a lock, and not before the bytes are where others find them.
      VarHandle.fullFence();
      mark(offset, end);
    }
  }

  /**
   * Marks the granules of a range; the disk has none past its end.
   *
   * @param offset first byte
   * @param end one past the last byte, above {@code offset}
   */
  public void mark(long offset, long end) {
    if (granules.set(offset >> granularityBits, granuleCount(end))) {
      changed = true;
    }
  }

  /**
   * Takes the marks of all granules that a range touches.
   *
   * @param offset first byte
   * @param end one past the last byte, above {@code offset}
   */
  public void clear(long offset, long end) {
    if (granules.clear(offset >> granularityBits, granuleCount(end))) {
      changed = true;
      VarHandle.fullFence(); // who reads the bytes now finds them no older than the marks were
    }
  }

  /** Takes all marks. */
  public void clear() {
    clear(0, Math.max(1, length));
  }

  /**
   * Returns the first run of marked granules that ends after {@code offset}.
   *
   * @param offset in bytes, not negative
   * @return a range that starts at {@code offset} or on a granule, and ends on one or with the
   *     disk; null if there is none
   */
  public @Nullable ByteRange nextDirty(long offset) {
    long first = granules.nextSet(offset >> granularityBits);
    if (first < 0) {
      return null;
    }
    long start = Math.max(offset, first << granularityBits);
    long clear = granules.nextClear(first);
    long end = clear < 0 ? length : Math.min(length, clear << granularityBits);
    return end <= start ? null : ByteRange.between(start, end);
  }

  /** Returns how many bytes the marked granules have; the last one may reach past the disk. */
  public long dirtyBytes() {
    return granules.count() << granularityBits;
  }

  /**
   * Marks all that is marked in another bitmap: whole granules of this one.
   *
   * @param other of a disk of the same length
   */
  public void merge(DirtyBitmap other) {
    ByteRange dirty = other.nextDirty(0);
    while (dirty != null) {
      mark(dirty.offset(), dirty.end());
      dirty = other.nextDirty(Alignment.up(dirty.end(), 1L << other.granularityBits));
    }
  }

  /**
   * Follows a change of the disk's length: what is new is clean.
   *
   * @param newLength in bytes
   */
  public void resize(long newLength) {
    if (newLength != length) {
      granules.resize(granuleCount(newLength));
      length = newLength;
      changed = true;
    }
  }
}
