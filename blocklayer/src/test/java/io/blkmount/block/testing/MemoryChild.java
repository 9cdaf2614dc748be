// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.testing;

import io.blkmount.block.bytes.Zeroes;
import io.blkmount.block.driver.BlockLimits;
import io.blkmount.block.driver.ChildOpener;
import io.blkmount.block.driver.DriverInstance;
import io.blkmount.block.driver.Extent;
import io.blkmount.block.driver.Preallocation;
import io.blkmount.block.driver.Support;
import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * A child without graph and request pipeline: byte I/O on an instance with byte granularity. Reads
 * past the end are zeros, writes past it grow the file, and unsupported zeroing writes zeros.
 */
public final class MemoryChild implements ChildOpener.Child {
  private final DriverInstance file;
  private final String name;

  /**
   * Creates a child.
   *
   * @param file where its bytes are; request alignment 1
   */
  public MemoryChild(DriverInstance file) {
    this(file, "memory");
  }

  /**
   * Creates a child with a name.
   *
   * @param file where its bytes are; request alignment 1
   * @param name for messages
   */
  public MemoryChild(DriverInstance file, String name) {
    if (file.limits().requestAlignment() != 1) {
      throw new IllegalArgumentException("a child without pipeline pads nothing");
    }
    this.file = file;
    this.name = name;
  }

  /** Returns an opener that gives this child to every role. */
  public ChildOpener opener() {
    return role -> this;
  }

  @Override
  public long length() throws IOException {
    return file.length();
  }

  @Override
  public void read(long offset, ByteBuffer target) throws IOException {
    int inside = (int) Math.max(0, Math.min(target.remaining(), file.length() - offset));
    int limit = target.limit();
    target.limit(target.position() + inside);
    if (inside > 0) {
      file.read(offset, target);
    }
    target.limit(limit);
    Zeroes.fill(target);
  }

  @Override
  public void write(long offset, ByteBuffer source, WriteFlags flags) throws IOException {
    requireRoom(offset, source.remaining());
    file.write(offset, source, flags.only(support().writeFlags()));
    flushIf(flags);
  }

  @Override
  public void writeZeroes(long offset, long length, WriteFlags flags) throws IOException {
    requireRoom(offset, length);
    try {
      file.writeZeroes(offset, length, flags.only(support().zeroFlags()));
    } catch (BlockException e) {
      if (e.error() != BlockError.NOT_SUPPORTED || flags.has(WriteFlags.NO_FALLBACK)) {
        throw e;
      }
      writeZeroBuffers(offset, length);
    }
    flushIf(flags);
  }

  private void writeZeroBuffers(long offset, long length) throws IOException {
    for (long done = 0; done < length; done += Zeroes.MAX_BUFFER) {
      int part = (int) Math.min(Zeroes.MAX_BUFFER, length - done);
      file.write(offset + done, Zeroes.buffer(part), WriteFlags.NONE);
    }
  }

  private void requireRoom(long offset, long length) throws IOException {
    if (!support().growable() && offset + length > file.length()) {
      throw new BlockException(BlockError.TOO_BIG, "write beyond end of " + name);
    }
  }

  private void flushIf(WriteFlags flags) throws IOException {
    if (flags.has(WriteFlags.FUA)) {
      file.flush();
    }
  }

  @Override
  public void discard(long offset, long length) throws IOException {
    long inside = Math.min(length, file.length() - offset);
    if (inside > 0) {
      file.discard(offset, inside);
    }
  }

  @Override
  public Extent extentAt(long offset, long maxLength) throws IOException {
    return file.extentAt(offset, maxLength);
  }

  @Override
  public void flush() throws IOException {
    file.flush();
  }

  @Override
  public Support support() {
    return file.support();
  }

  @Override
  public BlockLimits limits() {
    return file.limits();
  }

  @Override
  public String name() {
    return name;
  }

  @Override
  public void truncate(long length, Preallocation preallocation) throws IOException {
    file.truncate(length, preallocation);
  }

  @Override
  public void reserve(long offset, long length) throws IOException {
    file.reserve(offset, length);
  }

  @Override
  public long allocatedBytes() throws IOException {
    return file.allocatedBytes();
  }

  @Override
  public void writeBack() throws IOException {
    file.writeBack();
  }
}
