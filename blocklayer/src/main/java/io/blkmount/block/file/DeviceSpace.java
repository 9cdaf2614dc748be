// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.file;

import io.blkmount.block.bytes.BouncePool;
import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import java.nio.ByteBuffer;

/**
 * The space of a block device. The kernel drops the page cache of what it zeroes or discards, so
 * that later reads see it.
 */
final class DeviceSpace implements Space {
  private final PosixFile file;
  private final Way unmap;
  private final Way zeroOut;
  private final Way discard;

  DeviceSpace(PosixFile file) {
    this.file = file;
    this.unmap = new Way(this::unmap);
    this.zeroOut = new Way((offset, length) -> range("zero", LibC.BLKZEROOUT, offset, length));
    this.discard = new Way((offset, length) -> range("discard", LibC.BLKDISCARD, offset, length));
  }

  /** Returns the length in bytes. */
  static long length(PosixFile file) throws BlockException {
    return ask(file, "get the length of", LibC.BLKGETSIZE64).getLong(0);
  }

  /** Returns the smallest block that can be read or written, in bytes. */
  static int blockLength(PosixFile file) throws BlockException {
    return ask(file, "get the block length of", LibC.BLKSSZGET).getInt(0);
  }

  /** Returns whether the device refuses writes. */
  static boolean isReadOnly(PosixFile file) throws BlockException {
    return ask(file, "get the state of", LibC.BLKROGET).getInt(0) != 0;
  }

  @Override
  public void zero(long offset, long length, WriteFlags flags) throws BlockException {
    boolean done =
        (flags.has(WriteFlags.MAY_UNMAP) && unmap.tried(offset, length))
            // The kernel may write the zeros itself, which is not faster than ours.
            || (!flags.has(WriteFlags.NO_FALLBACK) && zeroOut.tried(offset, length));
    if (!done) {
      throw unsupported("zeros without writing them");
    }
  }

  @Override
  public void discard(long offset, long length) throws BlockException {
    if (!discard.tried(offset, length)) {
      throw unsupported("discards");
    }
  }

  /** A device has all of its space from the start, as far as anybody can tell. */
  @Override
  public void reserve(long offset, long length) {}

  private void unmap(long offset, long length) throws BlockException {
    int mode = LibC.FALLOC_FL_PUNCH_HOLE | LibC.FALLOC_FL_KEEP_SIZE;
    file.allocate("unmap", mode, offset, length);
  }

  private void range(String verb, long request, long offset, long length) throws BlockException {
    try (BouncePool.Bounce bounce = BouncePool.take(2 * Long.BYTES)) {
      ByteBuffer range = LibC.struct(bounce);
      range.putLong(0, offset).putLong(Long.BYTES, length);
      long address = LibC.address(range);
      file.control(verb, descriptor -> LibC.CALLS.ioctl(descriptor, request, address));
    }
  }

  private static ByteBuffer ask(PosixFile file, String verb, long request) throws BlockException {
    try (BouncePool.Bounce bounce = BouncePool.take(Long.BYTES)) {
      ByteBuffer answer = LibC.struct(bounce);
      long address = LibC.address(answer);
      file.control(verb, descriptor -> LibC.CALLS.ioctl(descriptor, request, address));
      return ByteBuffer.allocate(Long.BYTES).order(answer.order()).putLong(0, answer.getLong(0));
    }
  }

  private BlockException unsupported(String what) {
    return new BlockException(
        BlockError.NOT_SUPPORTED, "device " + file.quotedName() + " does not support " + what);
  }
}
