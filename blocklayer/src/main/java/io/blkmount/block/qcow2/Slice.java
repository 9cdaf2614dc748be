// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.bytes.Zeroes;
import java.io.IOException;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.jspecify.annotations.Nullable;

/**
 * A cached piece of an L2 table or refcount block.
 *
 * <p>Whoever uses it holds a pin ({@link MetadataCache#pin}); a pinned slice keeps its memory.
 * Entries are read without a lock and changed under the metadata lock.
 */
final class Slice implements AutoCloseable {
  private static final VarHandle ENTRIES =
      MethodHandles.byteBufferViewVarHandle(long[].class, ByteOrder.BIG_ENDIAN);
  private static final VarHandle PINS;

  /** Value of {@code pins} while the slice is being thrown out. */
  private static final int EVICTED = -1;

  static {
    try {
      PINS = MethodHandles.lookup().findVarHandle(Slice.class, "pins", int.class);
    } catch (ReflectiveOperationException impossible) {
      throw new ExceptionInInitializerError(impossible);
    }
  }

  private final long hostOffset;
  private final SliceMemory.Piece memory;
  private final ByteBuffer buffer;

  @SuppressWarnings("unused") // through PINS
  private volatile int pins = 1;

  private volatile boolean loaded;
  private volatile @Nullable IOException failure;

  /** Odd while a pair of entries is being changed; changed under the metadata lock. */
  private volatile int changes;

  /** Whether memory is newer than the disk; used under the metadata lock only. */
  private boolean dirty;

  /** Whether the clock hand has passed since the last use. */
  private volatile boolean used = true;

  Slice(long hostOffset, SliceMemory.Piece memory) {
    this.hostOffset = hostOffset;
    this.memory = memory;
    this.buffer = memory.bytes();
  }

  /** Returns a slice that is no slice of any file. */
  static Slice placeholder() {
    return new Slice(-1, SliceMemory.Piece.NONE);
  }

  long hostOffset() {
    return hostOffset;
  }

  /** Returns the memory that it borrows. */
  SliceMemory.Piece memory() {
    return memory;
  }

  /** Returns the bytes; callers use absolute positions only. */
  ByteBuffer buffer() {
    return buffer;
  }

  long entry(int index) {
    return (long) ENTRIES.getAcquire(buffer, index << ClusterGeometry.ENTRY_SHIFT);
  }

  /**
   * Returns how many of the {@code count} entries from {@code index} on are 0 without a gap; it
   * looks at the first 131,072 at most.
   */
  int zeroCount(int index, int count) {
    int length = Math.min(count << ClusterGeometry.ENTRY_SHIFT, Zeroes.MAX_BUFFER);
    int at = index << ClusterGeometry.ENTRY_SHIFT;
    int different = buffer.slice(at, length).mismatch(Zeroes.buffer(length));
    return (different < 0 ? length : different) >> ClusterGeometry.ENTRY_SHIFT;
  }

  /** Changes one entry; the caller holds the metadata lock and marks the slice dirty. */
  void setEntry(int index, long entry) {
    ENTRIES.setRelease(buffer, index << ClusterGeometry.ENTRY_SHIFT, entry);
  }

  /** Changes two neighbours, which {@link #stamp} lets readers see together; else as above. */
  void setPair(int index, long first, long second) {
    int before = changes;
    changes = before + 1;
    setEntry(index, first);
    setEntry(index + 1, second);
    changes = before + 2;
  }

  /** Returns what {@link #isUnchangedSince} wants to know; waits while a pair changes. */
  int stamp() {
    int now;
    while (((now = changes) & 1) != 0) {
      Thread.onSpinWait(); // a few instructions of another thread
    }
    return now;
  }

  /** Returns whether all pairs that were read since then are pairs that were set together. */
  boolean isUnchangedSince(int stamp) {
    return changes == stamp;
  }

  boolean isDirty() {
    return dirty;
  }

  void setDirty(boolean dirty) {
    this.dirty = dirty;
  }

  /** Returns whether the bytes are there: false while they are read, and if that has failed. */
  boolean isLoaded() {
    return loaded && failure == null;
  }

  /**
   * Returns whether what was read without a pin, before this call, was this slice: its memory is
   * used for another one only after it has begun to be thrown out.
   */
  boolean isCurrent() {
    if (pins == EVICTED) {
      return false;
    }
    if (!used) {
      used = true;
    }
    return true;
  }

  /** Takes a pin unless the slice is being thrown out. */
  boolean tryPin() {
    int now = pins;
    while (now != EVICTED) {
      int seen = (int) PINS.compareAndExchange(this, now, now + 1);
      if (seen == now) {
        if (!used) {
          used = true;
        }
        return true;
      }
      now = seen;
    }
    return false;
  }

  /** Takes another pin; the caller holds one already. */
  void pinAgain() {
    if (!tryPin()) {
      throw new IllegalStateException("slice at " + hostOffset + " is pinned and thrown out");
    }
  }

  /** Gives a pin back. */
  @Override
  public void close() {
    int before = (int) PINS.getAndAdd(this, -1);
    assert before > 0 : before;
  }

  /** Starts to throw the slice out if it is unpinned and not recently used. */
  boolean tryEvict() {
    if (used) {
      used = false;
      return false;
    }
    return PINS.compareAndSet(this, 0, EVICTED); // a dirty slice has a pin of its own
  }

  /** Says that the bytes are there, or why not, and wakes who waits for them. */
  void finishLoading(@Nullable IOException reason) {
    synchronized (this) {
      failure = reason;
      loaded = true;
      notifyAll();
    }
  }

  /** Waits until another thread has loaded the bytes; throws what stopped it. */
  void awaitLoaded() throws IOException {
    if (!loaded) {
      awaitLoading();
    }
    IOException reason = failure;
    if (reason != null) {
      throw new IOException(reason.getMessage(), reason);
    }
  }

  /** Host I/O is never abandoned half way: an interrupt is kept for afterwards. */
  private synchronized void awaitLoading() {
    boolean interrupted = false;
    while (!loaded) {
      try {
        wait();
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}
