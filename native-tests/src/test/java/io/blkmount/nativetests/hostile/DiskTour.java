// SPDX-License-Identifier: Apache-2.0
package io.blkmount.nativetests.hostile;

import io.blkmount.block.backend.BlockBackend;
import io.blkmount.block.driver.Extent;
import java.io.IOException;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/** Goes over a disk as its user would; a failure here and there does not end it. */
final class DiskTour {
  private static final int PIECE = 1 << 20;
  private static final int MAX_EXTENTS = 2_000;
  private static final long MAX_BYTES = 64L << 20;
  private static final int WRITE = 64 << 10;

  private final BlockBackend disk;
  private final ByteBuffer buffer = ByteBuffer.allocateDirect(PIECE);

  DiskTour(BlockBackend disk) {
    this.disk = disk;
  }

  /** Reads what is stored, of a large disk the beginning; throws the first failure at the end. */
  void read() throws IOException {
    long length = disk.length();
    long left = MAX_BYTES;
    IOException first = null;
    long at = 0;
    for (int i = 0; i < MAX_EXTENTS && at < length && left > 0; i++) {
      int count = (int) Math.min(PIECE, length - at);
      try {
        Extent extent = disk.extentAt(at, length - at);
        count = (int) Math.min(count, extent.length());
        disk.read(at, buffer.clear().limit(count));
        left -= count;
        at = extent.isAllocated() ? at + count : extent.end();
      } catch (IOException e) {
        first = first == null ? e : first;
        at += count;
      }
    }
    if (first != null) {
      throw first;
    }
  }

  /** Overwrites, zeroes, discards and flushes; throws the first failure at the end. */
  void write() throws IOException {
    long last = Math.max(0, disk.length() - WRITE);
    IOException first = attempt(null, () -> overwrite(0));
    first = attempt(first, () -> overwrite(Math.min(last, 3L * WRITE + 512)));
    first = attempt(first, () -> overwrite(last));
    first = attempt(first, () -> disk.writeZeroes(0, Math.min(disk.length(), WRITE), true));
    first = attempt(first, () -> disk.discard(0, Math.min(disk.length(), 2 * WRITE)));
    first = attempt(first, disk::flush);
    if (first != null) {
      throw first;
    }
  }

  private void overwrite(long offset) throws IOException {
    buffer.clear().limit((int) Math.min(WRITE, disk.length() - offset));
    for (int i = 0; i < buffer.limit(); i += 512) {
      buffer.put(i, (byte) 0xa5);
    }
    disk.write(offset, buffer);
  }

  private static @Nullable IOException attempt(@Nullable IOException first, Step.Action action) {
    try {
      action.run();
      return first;
    } catch (IOException e) {
      return first == null ? e : first;
    }
  }
}
