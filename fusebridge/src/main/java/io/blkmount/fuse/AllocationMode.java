// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse;

import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;

/** The mode word of fallocate(2), as {@code linux/falloc.h} has it. */
final class AllocationMode {
  static final int KEEP_SIZE = 0x01;
  static final int PUNCH_HOLE = 0x02;
  static final int COLLAPSE_RANGE = 0x08;
  static final int ZERO_RANGE = 0x10;
  static final int INSERT_RANGE = 0x20;

  private AllocationMode() {}

  /** Lets pass: reserve, punch a hole, zero a range; each with or without KEEP_SIZE. */
  static void requireSupported(int mode) throws BlockException {
    int kind = mode & ~KEEP_SIZE;
    if (kind != 0 && kind != PUNCH_HOLE && kind != ZERO_RANGE) {
      throw new BlockException(
          BlockError.NOT_SUPPORTED, "allocation mode 0x" + Integer.toHexString(mode));
    }
  }

  static boolean zeroes(int mode) {
    return (mode & (PUNCH_HOLE | ZERO_RANGE)) != 0;
  }

  /** A hole may give its space back; a zeroed range is one that will be written again. */
  static boolean mayUnmap(int mode) {
    return (mode & PUNCH_HOLE) != 0;
  }

  /** A hole never grows a file, whether the caller said so or not. */
  static boolean keepsSize(int mode) {
    return (mode & (KEEP_SIZE | PUNCH_HOLE)) != 0;
  }

  static int keepingSize(int mode) {
    return mode | KEEP_SIZE;
  }
}
