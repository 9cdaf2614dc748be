// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.crypto;

import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import java.nio.ByteBuffer;

/** A header area in an array; its n-th write or flush can fail, a write half done. */
final class MemoryArea implements HeaderArea {
  private final byte[] bytes;
  private int callsUntilFailure = Integer.MAX_VALUE;
  private boolean tripped;

  MemoryArea(long length) {
    this(new byte[Math.toIntExact(length)]);
  }

  private MemoryArea(byte[] bytes) {
    this.bytes = bytes;
  }

  /** Returns the same bytes in an area of its own, of which call {@code n}, from 0, fails. */
  MemoryArea copyFailingAt(int n) {
    MemoryArea copy = new MemoryArea(bytes.clone());
    copy.callsUntilFailure = n;
    return copy;
  }

  boolean tripped() {
    return tripped;
  }

  /** Returns a copy of a piece. */
  byte[] bytes(long offset, long length) {
    byte[] piece = new byte[Math.toIntExact(length)];
    read(offset, ByteBuffer.wrap(piece));
    return piece;
  }

  @Override
  public long length() {
    return bytes.length;
  }

  @Override
  public void read(long offset, ByteBuffer target) {
    target.put(bytes, Math.toIntExact(offset), target.remaining());
  }

  @Override
  public void write(long offset, ByteBuffer source) throws BlockException {
    boolean fails = isFailing();
    int length = fails ? source.remaining() / 2 : source.remaining();
    source.get(bytes, Math.toIntExact(offset), length);
    failIf(fails);
  }

  @Override
  public void flush() throws BlockException {
    failIf(isFailing());
  }

  private boolean isFailing() {
    return callsUntilFailure-- == 0;
  }

  private void failIf(boolean fails) throws BlockException {
    if (fails) {
      tripped = true;
      throw new BlockException(BlockError.IO, "failed on purpose");
    }
  }
}
