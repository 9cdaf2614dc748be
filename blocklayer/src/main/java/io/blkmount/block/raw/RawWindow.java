// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.raw;

import io.blkmount.block.driver.ChildOpener;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import java.io.IOException;

/**
 * The part of a file that is the disk.
 *
 * @param start first byte in the file
 * @param size in bytes, or {@link #TO_THE_END} if the disk is as long as the file
 */
record RawWindow(long start, long size) {
  static final long TO_THE_END = -1;

  /**
   * Checks a window against the file.
   *
   * @throws BlockException with {@code INVALID} if it reaches past the end
   */
  static RawWindow in(ChildOpener.Child file, long start, long size) throws IOException {
    long fileLength = file.length();
    boolean fits = start <= fileLength && (size == TO_THE_END || size <= fileLength - start);
    if (!fits) {
      throw new BlockException(
          BlockError.INVALID,
          "raw image reaches past the end of its file: offset="
              + start
              + (size == TO_THE_END ? "" : " size=" + size)
              + " length="
              + fileLength);
    }
    return new RawWindow(start, size);
  }

  boolean isFixed() {
    return size != TO_THE_END;
  }

  /** Returns the length of the disk in a file of {@code fileLength} bytes. */
  long diskLength(long fileLength) {
    return isFixed() ? size : Math.max(0, fileLength - start);
  }
}
