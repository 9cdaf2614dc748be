// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.request;

import io.blkmount.block.driver.BlockLimits;
import io.blkmount.block.driver.DriverInstance;
import io.blkmount.block.driver.Extent;
import io.blkmount.block.driver.Preallocation;
import io.blkmount.block.driver.Support;
import io.blkmount.block.driver.WriteFlags;
import java.nio.ByteBuffer;

/** A disk that takes every request and moves no byte. */
final class NothingInstance implements DriverInstance {
  private static final Support SUPPORT =
      new Support(true, false, WriteFlags.FUA, WriteFlags.NONE, false, false, false);

  private final long length;

  NothingInstance(long length) {
    this.length = length;
  }

  @Override
  public long length() {
    return length;
  }

  @Override
  public void read(long offset, ByteBuffer target) {
    target.position(target.limit());
  }

  @Override
  public void write(long offset, ByteBuffer source, WriteFlags flags) {
    source.position(source.limit());
  }

  @Override
  public void writeZeroes(long offset, long length, WriteFlags flags) {}

  @Override
  public void discard(long offset, long length) {}

  @Override
  public Extent extentAt(long offset, long maxLength) {
    return Extent.data(offset, maxLength, offset);
  }

  @Override
  public void flush() {}

  @Override
  public BlockLimits limits() {
    return BlockLimits.NONE;
  }

  @Override
  public Support support() {
    return SUPPORT;
  }

  @Override
  public void truncate(long length, Preallocation preallocation) {}

  @Override
  public void invalidate() {}

  @Override
  public void close() {}
}
