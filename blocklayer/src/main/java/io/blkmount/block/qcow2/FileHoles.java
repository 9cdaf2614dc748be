// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.bytes.Alignment;
import io.blkmount.block.bytes.Zeroes;
import io.blkmount.block.driver.BlockIo;
import io.blkmount.block.driver.Extent;
import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * Passes over the holes of an image file, once more zeros were read in place of tables than an
 * image has that nobody made up: it may lead to terabytes of holes, which cost its maker nothing.
 *
 * <p>Not before: there have been hosts that took bytes which had just been written for a hole, and
 * a table that is passed over is lost to a repair.
 */
final class FileHoles {
  /** As many L2 tables of zeros as a disk of 2 TiB has. */
  static final long MOST_ZEROS = 256L << 20;

  private final BlockIo file;
  private long zeros;

  FileHoles(BlockIo file) {
    this.file = file;
  }

  /** Notes what was read: from position to limit, which stay. */
  void note(ByteBuffer read) {
    if (Zeroes.isZero(read)) {
      zeros += read.remaining();
    }
  }

  /** Returns whether all of a range is to be taken for zeros without reading it. */
  boolean passes(long offset, long end) throws IOException {
    return behind(offset, end) >= end;
  }

  /**
   * Returns the first entry from {@code start} on that is to be read; {@code end} or more: none.
   */
  long behind(long start, long end) throws IOException {
    long at = start;
    while (zeros >= MOST_ZEROS && at < end) {
      Extent extent = file.extentAt(at, end - at);
      if (!extent.readsAsZero()) {
        return Alignment.down(at, Long.BYTES);
      }
      at += extent.length();
    }
    return at;
  }
}
