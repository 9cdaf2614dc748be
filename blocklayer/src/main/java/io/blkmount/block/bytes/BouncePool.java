// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.bytes;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayDeque;
import org.jspecify.annotations.Nullable;

/**
 * Page-aligned direct buffers for bytes that cannot stay where the kernel put them.
 *
 * <p>Buffers come in powers of two from 4 KiB to 4 MiB and go back when the {@link Bounce} is
 * closed; at most {@link #MAX_IDLE} of a size are kept. Their content is whatever was there before:
 * whoever takes one fills it.
 */
public final class BouncePool {
  /** Smallest and, as a power of two, first size: one page. */
  private static final int MIN_SHIFT = 12;

  /** Largest size that is kept: two times the largest cluster. */
  private static final int MAX_SHIFT = 22;

  /** How many idle buffers of one size are kept: as many as there are likely workers. */
  private static final int MAX_IDLE = 16;

  private static final BouncePool SHARED = new BouncePool();

  private final Shelf[] shelves = new Shelf[MAX_SHIFT - MIN_SHIFT + 1];

  private BouncePool() {
    for (int i = 0; i < shelves.length; i++) {
      shelves[i] = new Shelf(1 << (MIN_SHIFT + i));
    }
  }

  /**
   * Takes a buffer of {@code length} bytes: position 0, limit {@code length}.
   *
   * @param length in bytes, at least 0
   */
  public static Bounce take(int length) {
    int shift = Math.max(MIN_SHIFT, Integer.SIZE - Integer.numberOfLeadingZeros(length - 1));
    if (length == 0 || shift <= MAX_SHIFT) {
      return SHARED.shelves[length == 0 ? 0 : shift - MIN_SHIFT].take().ofLength(length);
    }
    return new Bounce(null, allocate(length)).ofLength(length);
  }

  /**
   * Allocates a direct buffer whose address is a multiple of 4 KiB.
   *
   * @param length in bytes
   */
  public static ByteBuffer allocate(int length) {
    int page = 1 << MIN_SHIFT;
    int whole = Math.toIntExact(Alignment.up(length, page) + page); // alignedSlice trims both ends
    return ByteBuffer.allocateDirect(whole).alignedSlice(page).slice(0, length);
  }

  /** A borrowed buffer; the object waits on the shelf as well, so that borrowing is no garbage. */
  public static final class Bounce implements AutoCloseable {
    private final @Nullable Shelf shelf;

    /** Never lent itself: a borrower may do anything to the limit. */
    private final ByteBuffer whole;

    /** The start of the whole, of the last borrower's length. */
    private ByteBuffer buffer;

    private Bounce(@Nullable Shelf shelf, ByteBuffer whole) {
      this.shelf = shelf;
      this.whole = whole;
      this.buffer = whole.slice();
    }

    private Bounce ofLength(int length) {
      buffer =
          buffer.capacity() == length
              ? buffer.clear().order(ByteOrder.BIG_ENDIAN)
              : whole.slice(0, length);
      return this;
    }

    /** Returns the buffer; always the same object, its position and limit are the borrower's. */
    public ByteBuffer buffer() {
      return buffer;
    }

    /** Gives the buffer back, once; nobody may use it, or a slice of it, from here on. */
    @Override
    public void close() {
      if (shelf != null) {
        shelf.giveBack(this);
      }
    }
  }

  /** A stack, so that the memory that was used last, and is still cached, is used next. */
  private static final class Shelf {
    private final int size;

    @GuardedBy("this")
    private final ArrayDeque<Bounce> idle = new ArrayDeque<>(MAX_IDLE);

    Shelf(int size) {
      this.size = size;
    }

    Bounce take() {
      Bounce bounce = pop();
      return bounce != null ? bounce : new Bounce(this, allocate(size));
    }

    private synchronized @Nullable Bounce pop() {
      return idle.pollFirst();
    }

    synchronized void giveBack(Bounce bounce) {
      if (idle.size() < MAX_IDLE) {
        idle.addFirst(bounce);
      }
    }
  }
}
