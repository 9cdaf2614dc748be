// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse;

import io.blkmount.block.backend.BlockBackend;
import io.blkmount.block.driver.Extent;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import java.io.IOException;

/** Where data and holes of a disk begin, as SEEK_DATA and SEEK_HOLE of lseek(2) ask. */
final class HoleSeek {
  private HoleSeek() {}

  /** Returns the first byte at or after {@code offset} that may be other than zero. */
  static long data(BlockBackend disk, long offset) throws IOException {
    long length = requireInside(disk, offset);
    long found = find(disk, offset, length, true);
    if (found == length) {
      throw new BlockException(
          BlockError.NO_SUCH_DEVICE_OR_ADDRESS, "no data from offset " + offset + " on");
    }
    return found;
  }

  /** Returns the first byte at or after {@code offset} that is in a hole, the end being one. */
  static long hole(BlockBackend disk, long offset) throws IOException {
    return find(disk, offset, requireInside(disk, offset), false);
  }

  private static long requireInside(BlockBackend disk, long offset) throws IOException {
    long length = disk.length();
    if (offset < 0 || offset >= length) {
      throw new BlockException(
          BlockError.NO_SUCH_DEVICE_OR_ADDRESS,
          "cannot seek from outside the disk: offset=" + offset + " length=" + length);
    }
    return length;
  }

  private static long find(BlockBackend disk, long from, long length, boolean data)
      throws IOException {
    long at = from;
    while (at < length) {
      Extent extent = disk.extentAt(at, length - at);
      if (isData(extent) == data) {
        return at;
      }
      at = extent.end();
    }
    return length;
  }

  static boolean isData(Extent extent) {
    return extent.kind() == Extent.Kind.DATA || extent.kind() == Extent.Kind.COMPRESSED;
  }
}
