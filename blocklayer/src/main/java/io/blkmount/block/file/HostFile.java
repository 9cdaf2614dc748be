// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.file;

import io.blkmount.block.bytes.Zeroes;
import io.blkmount.block.driver.BlockLimits;
import io.blkmount.block.driver.DriverInstance;
import io.blkmount.block.driver.Extent;
import io.blkmount.block.driver.HostStored;
import io.blkmount.block.driver.Preallocation;
import io.blkmount.block.driver.Support;
import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.StampedLock;

/** A host file as a driver instance. */
final class HostFile implements DriverInstance, HostStored {
  private final PosixFile file;
  private final FileKey key;
  private final Support support;

  /** Shared by writes; exclusive for what makes the file shorter, so that none of them is lost. */
  private final StampedLock sizeLock = new StampedLock();

  /** The exact length of the file whenever {@code sizeLock} can be had exclusively. */
  private final AtomicLong length;

  HostFile(PosixFile file, FileStatus status, boolean writable) {
    this.file = file;
    this.key = status.key();
    this.length = new AtomicLong(status.length());
    this.support =
        new Support(writable, writable, WriteFlags.UNCHANGED, WriteFlags.NONE, false, false, true);
  }

  @Override
  public long length() {
    return length.get();
  }

  @Override
  public void read(long offset, ByteBuffer target) throws IOException {
    file.read(offset, target);
    // Past the end: somebody has cut the file, or the last block of it is not a whole one.
    Zeroes.fill(target);
  }

  @Override
  public void write(long offset, ByteBuffer source, WriteFlags flags) throws IOException {
    long end = offset + source.remaining();
    long stamp = sizeLock.readLock();
    try {
      file.write(offset, source);
      length.accumulateAndGet(end, Math::max);
    } finally {
      sizeLock.unlockRead(stamp);
    }
  }

  @Override
  public void writeZeroes(long offset, long length, WriteFlags flags) throws IOException {
    throw new BlockException(BlockError.NOT_SUPPORTED, "zeros are written");
  }

  @Override
  public void discard(long offset, long length) throws IOException {
    throw new BlockException(BlockError.NOT_SUPPORTED, "space is kept");
  }

  @Override
  public Extent extentAt(long offset, long maxLength) {
    return Extent.data(offset, Math.min(maxLength, length() - offset), offset);
  }

  @Override
  public void flush() throws IOException {
    file.syncData();
  }

  @Override
  public long allocatedBytes() throws IOException {
    return file.status().allocatedBytes();
  }

  @Override
  public BlockLimits limits() {
    return BlockLimits.NONE;
  }

  @Override
  public Support support() {
    return support;
  }

  @Override
  public void truncate(long newLength, Preallocation preallocation) throws IOException {
    long stamp = sizeLock.writeLock();
    try {
      file.truncate(newLength);
      length.set(newLength);
    } finally {
      sizeLock.unlockWrite(stamp);
    }
  }

  @Override
  public void invalidate() throws IOException {
    length.set(file.status().length());
  }

  @Override
  public FileKey fileKey() {
    return key;
  }

  @Override
  public long modifiedNanos() throws IOException {
    return file.status().modifiedNanos();
  }

  @Override
  public void close() throws IOException {
    file.close();
  }
}
