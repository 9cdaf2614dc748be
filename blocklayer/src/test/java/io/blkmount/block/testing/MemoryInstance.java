// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.testing;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import io.blkmount.block.driver.BlockLimits;
import io.blkmount.block.driver.DriverInstance;
import io.blkmount.block.driver.Extent;
import io.blkmount.block.driver.Preallocation;
import io.blkmount.block.driver.Support;
import io.blkmount.block.driver.WriteFlags;
import java.nio.ByteBuffer;

/**
 * A host file in memory that checks its callers: every call is held against the contract of {@code
 * DriverInstance}, and a breach is an {@code AssertionError}. Sparse; safe for many threads, each
 * call is atomic.
 */
public final class MemoryInstance implements DriverInstance {
  /** What a regular file can do. */
  public static final Support FILE =
      new Support(
          true,
          true,
          WriteFlags.UNCHANGED,
          WriteFlags.MAY_UNMAP.with(WriteFlags.NO_FALLBACK).with(WriteFlags.UNCHANGED),
          true,
          true,
          true);

  /** What a device can do: as a file, but its length is fixed. */
  public static final Support DEVICE =
      new Support(true, false, FILE.writeFlags(), FILE.zeroFlags(), true, true, false);

  private final Object lock = new Object();

  @GuardedBy("lock")
  private final PagedBytes bytes;

  private final BlockLimits limits;
  private final Support support;
  private final Requests requests;

  @GuardedBy("lock")
  private boolean closed;

  /**
   * Creates an instance.
   *
   * @param bytes its content; nobody else uses it from here on
   * @param limits what callers keep to
   * @param support what callers may ask for
   */
  public MemoryInstance(PagedBytes bytes, BlockLimits limits, Support support) {
    this.bytes = bytes;
    this.limits = limits;
    this.support = support;
    this.requests = new Requests(limits, support);
  }

  /**
   * Returns a growable file of zeros with byte granularity.
   *
   * @param length in bytes
   */
  public static MemoryInstance ofLength(long length) {
    return new MemoryInstance(new PagedBytes(length), fileLimits(1), FILE);
  }

  /**
   * Returns a growable file with byte granularity.
   *
   * @param content its bytes
   */
  public static MemoryInstance of(byte[] content) {
    return new MemoryInstance(PagedBytes.of(content), fileLimits(1), FILE);
  }

  /**
   * Returns a device of zeros: fixed length, whole blocks.
   *
   * @param length in bytes, a multiple of {@code alignment}
   * @param alignment of every request, a power of two
   */
  public static MemoryInstance device(long length, int alignment) {
    return new MemoryInstance(new PagedBytes(length), fileLimits(alignment), DEVICE);
  }

  /**
   * Returns a growable file of zeros that is read and written in whole blocks, as with O_DIRECT.
   *
   * @param length in bytes
   * @param alignment of every request, a power of two
   */
  public static MemoryInstance aligned(long length, int alignment) {
    return new MemoryInstance(new PagedBytes(length), fileLimits(alignment), FILE);
  }

  /**
   * Returns a growable file.
   *
   * @param content its bytes; nobody else uses it from here on
   * @param alignment of every request, a power of two
   */
  public static MemoryInstance file(PagedBytes content, int alignment) {
    return new MemoryInstance(content, fileLimits(alignment), FILE);
  }

  private static BlockLimits fileLimits(int alignment) {
    return BlockLimits.ofBlocks(alignment, 1);
  }

  /** Returns a copy of the content as it is now. */
  public PagedBytes content() {
    synchronized (lock) {
      return bytes.copy();
    }
  }

  /**
   * Returns a copy of a part of the content, zeros past its end.
   *
   * @param offset in bytes
   * @param count in bytes
   */
  public byte[] bytes(long offset, int count) {
    synchronized (lock) {
      return bytes.bytes(offset, count);
    }
  }

  @Override
  public long length() {
    synchronized (lock) {
      return bytes.length();
    }
  }

  @Override
  public void read(long offset, ByteBuffer target) {
    synchronized (lock) {
      checkOpen();
      requests.checkRead(offset, target.remaining(), bytes.length());
      bytes.read(offset, target);
    }
  }

  @Override
  public void write(long offset, ByteBuffer source, WriteFlags flags) {
    synchronized (lock) {
      checkOpen();
      requests.checkWrite(offset, source.remaining(), flags, bytes.length());
      bytes.write(offset, source);
    }
  }

  @Override
  public void writeZeroes(long offset, long length, WriteFlags flags) {
    synchronized (lock) {
      checkOpen();
      requests.checkZeroes(offset, length, flags, bytes.length());
      bytes.setLength(Math.max(bytes.length(), offset + length));
      bytes.zero(offset, length);
    }
  }

  @Override
  public void discard(long offset, long length) {
    synchronized (lock) {
      checkOpen();
      requests.checkDiscard(offset, length, bytes.length());
      bytes.zero(offset, length);
    }
  }

  @Override
  public void reserve(long offset, long length) {
    synchronized (lock) {
      checkOpen();
    }
  }

  @Override
  public Extent extentAt(long offset, long maxLength) {
    synchronized (lock) {
      checkOpen();
      requests.checkExtent(offset, maxLength, bytes.length());
      long limit = Math.min(bytes.length(), offset + Math.min(maxLength, bytes.length()));
      boolean data = bytes.isAllocated(offset);
      long end = Math.min(nextPage(offset), limit);
      while (end < limit && bytes.isAllocated(end) == data) {
        end = Math.min(nextPage(end), limit);
      }
      return data ? Extent.data(offset, end - offset, offset) : Extent.zero(offset, end - offset);
    }
  }

  private static long nextPage(long offset) {
    return (offset / PagedBytes.PAGE + 1) * PagedBytes.PAGE;
  }

  @Override
  public void flush() {
    synchronized (lock) {
      checkOpen();
    }
  }

  @Override
  public long allocatedBytes() {
    synchronized (lock) {
      return bytes.allocatedBytes();
    }
  }

  @Override
  public BlockLimits limits() {
    return limits;
  }

  @Override
  public Support support() {
    return support;
  }

  @Override
  public void truncate(long length, Preallocation preallocation) {
    synchronized (lock) {
      checkOpen();
      if (!support.growable()) {
        throw new AssertionError("caller broke the contract: truncate of a device");
      }
      bytes.setLength(length);
    }
  }

  @Override
  public void invalidate() {
    synchronized (lock) {
      checkOpen();
    }
  }

  @Override
  public void close() {
    synchronized (lock) {
      checkOpen();
      closed = true;
    }
  }

  @GuardedBy("lock")
  private void checkOpen() {
    if (closed) {
      throw new AssertionError("caller broke the contract: call after close");
    }
  }
}
