// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.bytes;

import java.nio.ByteBuffer;
import java.util.concurrent.ConcurrentLinkedDeque;
import java.util.concurrent.atomic.AtomicInteger;
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
      Shelf shelf = SHARED.shelves[length == 0 ? 0 : shift - MIN_SHIFT];
      return new Bounce(shelf, shelf.take(), length);
    }
    return new Bounce(null, allocate(length), length);
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

  /** A borrowed buffer. */
  public static final class Bounce implements AutoCloseable {
    private final @Nullable Shelf shelf;
    private final ByteBuffer whole;
    private final ByteBuffer buffer;

    private Bounce(@Nullable Shelf shelf, ByteBuffer whole, int length) {
      this.shelf = shelf;
      this.whole = whole;
      this.buffer = whole.slice(0, length);
    }

    /** Returns the buffer; always the same object, its position and limit are the borrower's. */
    public ByteBuffer buffer() {
      return buffer;
    }

    /** Gives the buffer back; nobody may use it, or a slice of it, from here on. */
    @Override
    public void close() {
      if (shelf != null) {
        shelf.giveBack(whole);
      }
    }
  }

  private static final class Shelf {
    private final int size;
    private final ConcurrentLinkedDeque<ByteBuffer> idle = new ConcurrentLinkedDeque<>();
    private final AtomicInteger idleCount = new AtomicInteger();

    Shelf(int size) {
      this.size = size;
    }

    ByteBuffer take() {
      ByteBuffer buffer = idle.pollFirst();
      if (buffer == null) {
        return allocate(size);
      }
      idleCount.decrementAndGet();
      return buffer;
    }

    void giveBack(ByteBuffer buffer) {
      if (idleCount.incrementAndGet() > MAX_IDLE) {
        idleCount.decrementAndGet();
        return;
      }
      idle.addFirst(buffer);
    }
  }
}
