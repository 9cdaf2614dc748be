// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse;

import io.blkmount.block.backend.BlockBackend;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import java.io.IOException;
import java.nio.ByteBuffer;

/** A disk whose length is its own, as a block device's is: no operation on the file changes it. */
final class FixedExport extends Export {
  FixedExport(BlockBackend disk) {
    super(disk);
  }

  @Override
  public int write(long offset, ByteBuffer source) throws IOException {
    requireWritable();
    int asked = source.remaining();
    int count = clamp(offset, source);
    if (count > 0) {
      disk().write(offset, source);
    } else if (asked > 0) {
      throw pastEnd(BlockError.TOO_BIG, "write", offset, asked);
    }
    return count;
  }

  @Override
  public void setLength(long length) throws IOException {
    requireWritable();
    long current = disk().length();
    if (length != current) {
      throw new BlockException(
          BlockError.NOT_PERMITTED,
          String.format(
              "cannot change the length of \"%s\" from %d to %d bytes: mounted without --resizable",
              disk().imageName(), current, length));
    }
  }

  /** Nothing: {@code cp}, {@code dd} and {@code >} are meant to fill the disk, not to remove it. */
  @Override
  void truncateAtOpen() {}

  @Override
  void reach(long offset, long length) throws IOException {
    if (offset + length > disk().length()) {
      throw pastEnd(BlockError.TOO_BIG, "allocation", offset, length);
    }
  }
}
