// SPDX-License-Identifier: Apache-2.0
package io.blkmount.nativetests.hostile;

import io.blkmount.block.backend.BlockBackend;
import io.blkmount.block.driver.BlockIo;
import io.blkmount.block.driver.Extent;
import io.blkmount.block.driver.WriteFlags;
import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * The bytes of an image file, for a check.
 *
 * @param file opened as a raw disk
 */
record FileBytes(BlockBackend file) implements BlockIo {
  @Override
  public long length() throws IOException {
    return file.length();
  }

  @Override
  public void read(long offset, ByteBuffer target) throws IOException {
    long inside = Math.max(0, Math.min(target.remaining(), file.length() - offset));
    int limit = target.limit();
    target.limit(target.position() + (int) inside);
    if (inside > 0) {
      file.read(offset, target);
    }
    target.limit(limit);
    while (target.hasRemaining()) {
      target.put((byte) 0);
    }
  }

  @Override
  public void write(long offset, ByteBuffer source, WriteFlags flags) {
    throw new IllegalStateException("a check does not write");
  }

  @Override
  public void writeZeroes(long offset, long length, WriteFlags flags) {
    throw new IllegalStateException("a check does not write");
  }

  @Override
  public void discard(long offset, long length) {
    throw new IllegalStateException("a check does not discard");
  }

  @Override
  public Extent extentAt(long offset, long maxLength) throws IOException {
    return file.extentAt(offset, maxLength);
  }

  @Override
  public void flush() {}
}
