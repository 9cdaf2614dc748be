// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.file;

import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;

/** The space of a regular file: fallocate(2), which keeps the length and the page cache right. */
final class FileSpace implements Space {
  private final PosixFile file;
  private final Way punch;
  private final Way zeroRange;
  private final Way punchAndReserve;
  private final Way reserve;

  FileSpace(PosixFile file) {
    this.file = file;
    this.punch = new Way(this::punch);
    this.zeroRange = new Way(this::zeroRange);
    this.punchAndReserve = new Way(this::punchAndReserve);
    this.reserve = new Way(this::allocate);
  }

  @Override
  public void zero(long offset, long length, WriteFlags flags) throws BlockException {
    boolean done =
        (flags.has(WriteFlags.MAY_UNMAP) && punch.tried(offset, length))
            || zeroRange.tried(offset, length)
            || (canReserve(offset, length) && punchAndReserve.tried(offset, length));
    if (!done) {
      throw unsupported("zeros without writing them");
    }
  }

  /** Asked first, because a hole that was punched cannot be taken back. */
  private boolean canReserve(long offset, long length) throws BlockException {
    return reserve.tried(offset, length);
  }

  @Override
  public void discard(long offset, long length) throws BlockException {
    if (!punch.tried(offset, length)) {
      throw unsupported("holes");
    }
  }

  @Override
  public void reserve(long offset, long length) throws BlockException {
    if (!reserve.tried(offset, length)) {
      throw unsupported("space in reserve");
    }
  }

  private void punch(long offset, long length) throws BlockException {
    int mode = LibC.FALLOC_FL_PUNCH_HOLE | LibC.FALLOC_FL_KEEP_SIZE;
    file.allocate("punch a hole into", mode, offset, length);
  }

  private void zeroRange(long offset, long length) throws BlockException {
    int mode = LibC.FALLOC_FL_ZERO_RANGE | LibC.FALLOC_FL_KEEP_SIZE;
    file.allocate("zero a range of", mode, offset, length);
  }

  private void punchAndReserve(long offset, long length) throws BlockException {
    punch(offset, length);
    allocate(offset, length);
  }

  private void allocate(long offset, long length) throws BlockException {
    file.allocate("reserve space for", LibC.FALLOC_FL_KEEP_SIZE, offset, length);
  }

  private BlockException unsupported(String what) {
    return new BlockException(
        BlockError.NOT_SUPPORTED,
        "the file system of " + file.quotedName() + " does not support " + what);
  }
}
