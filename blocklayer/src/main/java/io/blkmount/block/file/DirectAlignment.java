// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.file;

import io.blkmount.block.bytes.Alignment;
import io.blkmount.block.bytes.BouncePool;
import io.blkmount.block.driver.BlockLimits;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import java.nio.ByteBuffer;

/**
 * What O_DIRECT asks of requests: the file system says it (Linux 6.1 and later), a device says its
 * block length, else reads are tried.
 *
 * @param request offset and length are multiples of it, in bytes
 * @param memory addresses are multiples of it, in bytes
 */
record DirectAlignment(int request, int memory) {
  /** What every host accepts that supports O_DIRECT at all. */
  static final DirectAlignment SAFE = new DirectAlignment(4096, 4096);

  /** Smaller blocks than a sector are nowhere written on their own. */
  private static final int SMALLEST = FileStatus.SECTOR;

  /**
   * Finds the alignment of an open file.
   *
   * @param file opened with O_DIRECT
   * @param status of it
   * @throws BlockException if the file cannot be read with O_DIRECT
   */
  static DirectAlignment of(PosixFile file, FileStatus status) throws BlockException {
    int offset = status.directOffsetAlignment();
    int memory = status.directMemoryAlignment();
    if (offset == 0 || memory == 0) {
      throw new BlockException(
          BlockError.NOT_SUPPORTED,
          "cannot open "
              + file.quotedName()
              + ": its file system does not support O_DIRECT (needs another cache mode)");
    }
    if (Alignment.isPowerOfTwo(offset) && Alignment.isPowerOfTwo(memory)) {
      return new DirectAlignment(Math.max(offset, SMALLEST), memory);
    }
    if (status.type() == FileStatus.Type.BLOCK_DEVICE) {
      int block = DeviceSpace.blockLength(file);
      return new DirectAlignment(block, block);
    }
    // A read past the end of a file succeeds at any alignment and so tells nothing.
    return status.length() < 2L * SAFE.request ? SAFE : byTrial(file);
  }

  /** Returns the limits of a file with this alignment. */
  BlockLimits limits() {
    return BlockLimits.ofBlocks(request, memory);
  }

  /**
   * Tries reads of one block at growing lengths and addresses.
   *
   * @param file opened with O_DIRECT, at least two safe blocks long
   */
  static DirectAlignment byTrial(PosixFile file) throws BlockException {
    try (BouncePool.Bounce bounce = BouncePool.take(2 * SAFE.request)) {
      for (int length = SMALLEST; length < SAFE.request; length *= 2) {
        // At an offset of one block, and at an address that is no better than the length.
        if (works(file, length, bounce.buffer().slice(length, length))) {
          return new DirectAlignment(length, length);
        }
      }
    }
    return SAFE;
  }

  private static boolean works(PosixFile file, long offset, ByteBuffer target)
      throws BlockException {
    try {
      file.read(offset, target);
      return true;
    } catch (BlockException failure) {
      if (failure.error() != BlockError.INVALID) {
        throw failure;
      }
      return false;
    }
  }
}
