// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.testing;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * A sparse array of bytes in pages, of any length, that is copied in microseconds: a copy shares
 * all pages with its original until one of them writes. Not thread-safe.
 */
public final class PagedBytes {
  /** The unit of sharing and of holes, in bytes. */
  public static final int PAGE = 4096;

  private static final int PAGES_PER_CHUNK = 256;
  private static final long CHUNK = (long) PAGE * PAGES_PER_CHUNK;

  private static final byte[] ZEROES = new byte[PAGE];

  private static final VarHandle LONGS =
      MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.BIG_ENDIAN);

  /** 256 pages; its array may be changed only by the {@code PagedBytes} whose token it carries. */
  private static final class Chunk {
    final Object owner;
    final byte[] @Nullable [] pages;
    final boolean[] owned = new boolean[PAGES_PER_CHUNK];

    Chunk(Object owner, byte[] @Nullable [] pages) {
      this.owner = owner;
      this.pages = pages;
    }
  }

  private Object token = new Object();
  private @Nullable Chunk[] chunks;
  private long length;

  /**
   * Creates {@code length} bytes of zeros.
   *
   * @param length in bytes
   */
  public PagedBytes(long length) {
    this(new Chunk[0], length);
  }

  private PagedBytes(@Nullable Chunk[] chunks, long length) {
    this.chunks = chunks;
    this.length = length;
  }

  /**
   * Creates a copy of {@code bytes}.
   *
   * @param bytes the content
   */
  public static PagedBytes of(byte[] bytes) {
    PagedBytes paged = new PagedBytes(bytes.length);
    paged.write(0, ByteBuffer.wrap(bytes));
    return paged;
  }

  /** Returns a copy: neither sees what is written to the other from here on. */
  public PagedBytes copy() {
    token = new Object();
    return new PagedBytes(chunks.clone(), length);
  }

  /** Returns the length in bytes. */
  public long length() {
    return length;
  }

  /**
   * Changes the length; new bytes are zeros.
   *
   * @param newLength in bytes
   */
  public void setLength(long newLength) {
    if (newLength < length) {
      zero(newLength, length - newLength);
    }
    length = newLength;
  }

  /**
   * Fills {@code target}; bytes past the end are zeros.
   *
   * @param offset in bytes
   * @param target filled to its limit
   */
  public void read(long offset, ByteBuffer target) {
    while (target.hasRemaining()) {
      int inPage = (int) (offset % PAGE);
      int count = Math.min(PAGE - inPage, target.remaining());
      byte[] page = page(offset);
      if (page == null) {
        target.put(ZEROES, 0, count);
      } else {
        target.put(page, inPage, count);
      }
      offset += count;
    }
  }

  /**
   * Returns a copy of a range.
   *
   * @param offset in bytes
   * @param count in bytes
   */
  public byte[] bytes(long offset, int count) {
    byte[] copy = new byte[count];
    read(offset, ByteBuffer.wrap(copy));
    return copy;
  }

  /**
   * Returns the big-endian number of 8 bytes.
   *
   * @param offset in bytes, a multiple of 8
   */
  public long getLong(long offset) {
    byte[] page = page(offset);
    return page == null ? 0 : (long) LONGS.get(page, (int) (offset % PAGE));
  }

  /**
   * Writes {@code source} and grows if it ends past the end.
   *
   * @param offset in bytes
   * @param source written to its limit
   */
  public void write(long offset, ByteBuffer source) {
    length = Math.max(length, offset + source.remaining());
    while (source.hasRemaining()) {
      int inPage = (int) (offset % PAGE);
      int count = Math.min(PAGE - inPage, source.remaining());
      source.get(pageForWriting(offset, count < PAGE), inPage, count);
      offset += count;
    }
  }

  /**
   * Zeroes a range, giving back its whole pages; the length stays.
   *
   * @param offset in bytes
   * @param count in bytes; what lies past the end is ignored
   */
  public void zero(long offset, long count) {
    long end = Math.min(offset + count, chunks.length * CHUNK);
    while (offset < end) {
      int inPage = (int) (offset % PAGE);
      int part = (int) Math.min(PAGE - inPage, end - offset);
      byte[] page = page(offset);
      if (page != null && part == PAGE) {
        dropPage(offset);
      } else if (page != null) {
        Arrays.fill(pageForWriting(offset, true), inPage, inPage + part, (byte) 0);
      }
      offset += part;
    }
  }

  /**
   * Returns whether the page of a byte has space.
   *
   * @param offset in bytes
   */
  public boolean isAllocated(long offset) {
    return page(offset) != null;
  }

  /** Returns the space of all pages in bytes. */
  public long allocatedBytes() {
    long pages = 0;
    for (Chunk chunk : chunks) {
      if (chunk != null) {
        pages += Arrays.stream(chunk.pages).filter(page -> page != null).count();
      }
    }
    return pages * PAGE;
  }

  private byte @Nullable [] page(long offset) {
    long index = offset / CHUNK;
    Chunk chunk = index >= 0 && index < chunks.length ? chunks[(int) index] : null;
    return chunk == null ? null : chunk.pages[indexInChunk(offset)];
  }

  private static int indexInChunk(long offset) {
    return (int) (offset % CHUNK / PAGE);
  }

  private byte[] pageForWriting(long offset, boolean keep) {
    Chunk chunk = chunkForWriting(offset);
    int index = indexInChunk(offset);
    byte[] page = chunk.pages[index];
    if (page == null || !chunk.owned[index]) {
      page = page == null || !keep ? new byte[PAGE] : page.clone();
      chunk.pages[index] = page;
      chunk.owned[index] = true;
    }
    return page;
  }

  private void dropPage(long offset) {
    chunkForWriting(offset).pages[indexInChunk(offset)] = null;
  }

  private Chunk chunkForWriting(long offset) {
    int index = Math.toIntExact(offset / CHUNK);
    if (index >= chunks.length) {
      chunks = Arrays.copyOf(chunks, index + 1);
    }
    Chunk chunk = chunks[index];
    if (chunk == null || chunk.owner != token) {
      chunk = new Chunk(token, chunk == null ? new byte[PAGES_PER_CHUNK][] : chunk.pages.clone());
      chunks[index] = chunk;
    }
    return chunk;
  }
}
