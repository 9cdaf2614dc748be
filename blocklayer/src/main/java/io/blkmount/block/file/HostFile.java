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
import org.jspecify.annotations.Nullable;

/** A host file or block device as a driver instance: puts the parts together. */
final class HostFile implements DriverInstance, HostStored {
  private final PosixFile file;
  private final HostShape shape;
  private final BlockLimits limits;
  private final Support support;
  private final @Nullable DirectTransfer direct;
  private final Transfer transfer;
  private final Space space;
  private final HoleScan holes;
  private final FileLength length;

  /** Why a flush failed: the kernel forgets the pages, so a later flush proves nothing. */
  private volatile @Nullable BlockException lost;

  private volatile boolean lent;

  /**
   * Takes over an open file.
   *
   * @param file what to read and write; closed with this
   * @param shape what was found out about it
   */
  HostFile(PosixFile file, HostShape shape) {
    this.file = file;
    this.shape = shape;
    this.limits = shape.limits();
    this.support = shape.support();
    this.direct =
        shape.direct() == null ? null : new DirectTransfer(file, shape.writable(), shape.direct());
    this.transfer = direct == null ? file : direct;
    this.space = shape.isDevice() ? new DeviceSpace(file) : new FileSpace(file);
    this.holes = new HoleScan(file);
    this.length = new FileLength(file, transfer, shape);
  }

  @Override
  public long length() throws IOException {
    return lent ? length.now() : length.get();
  }

  @Override
  public void read(long offset, ByteBuffer target) throws IOException {
    transfer.read(offset, target);
    // Past the end: somebody has cut the file, or its last block is not a whole one.
    Zeroes.fill(target);
  }

  @Override
  public void write(long offset, ByteBuffer source, WriteFlags flags) throws IOException {
    long end = offset + source.remaining();
    try {
      writeShared(offset, source, end);
    } catch (BlockException failure) {
      if (!lent && end > length.get()) {
        length.undoGrowth(failure);
      }
      throw failure;
    }
  }

  private void writeShared(long offset, ByteBuffer source, long end) throws BlockException {
    long stamp = length.shared();
    try {
      transfer.write(offset, source);
      length.wroteUpTo(end);
    } finally {
      length.endShared(stamp);
      holes.changed();
    }
  }

  @Override
  public void writeZeroes(long offset, long count, WriteFlags flags) throws IOException {
    long inside = Math.min(count, length() - offset);
    if (inside > 0) {
      try {
        space.zero(offset, inside, flags);
      } finally {
        holes.changed();
      }
    }
    if (inside < count) {
      length.growTo(offset + count);
      holes.changed();
    }
  }

  @Override
  public void discard(long offset, long count) throws IOException {
    long inside = Math.min(count, length() - offset);
    if (inside > 0) {
      try {
        space.discard(offset, inside);
      } finally {
        holes.changed();
      }
    }
  }

  @Override
  public void reserve(long offset, long count) throws IOException {
    if (count > 0) {
      space.reserve(offset, count);
    }
  }

  @Override
  public Extent extentAt(long offset, long maxLength) throws IOException {
    long inside = Math.min(maxLength, length() - offset);
    if (lent) {
      holes.changed();
    }
    return shape.isDevice() ? Extent.data(offset, inside, offset) : holes.extentAt(offset, inside);
  }

  @Override
  public void flush() throws IOException {
    BlockException before = lost;
    if (before != null) {
      throw new BlockException(
          before.error(), before.getMessage() + " (earlier; reopen the image)", before);
    }
    try {
      file.syncData();
    } catch (BlockException failure) {
      if (direct == null) {
        lost = failure;
      }
      throw failure;
    }
  }

  @Override
  public long allocatedBytes() throws IOException {
    return shape.isDevice() ? length() : file.status().allocatedBytes();
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
  public void truncate(long newLength, Preallocation preallocation) throws IOException {
    try {
      length.set(newLength, preallocation);
    } finally {
      holes.changed();
    }
  }

  @Override
  public void invalidate() throws IOException {
    holes.changed();
    length.refresh();
  }

  @Override
  public FileKey fileKey() {
    return shape.key();
  }

  @Override
  public long modifiedNanos() throws IOException {
    return file.status().modifiedNanos();
  }

  @Override
  public int lend() throws IOException {
    if (direct != null) {
      throw new BlockException(
          BlockError.NOT_SUPPORTED, file.quotedName() + " is open with O_DIRECT");
    }
    lent = true;
    return file.fd();
  }

  @Override
  public boolean isLent() {
    return lent;
  }

  @Override
  public void close() throws IOException {
    try (file) {
      if (direct != null) {
        direct.close();
      }
    }
  }
}
