// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.file;

import io.blkmount.block.bytes.Alignment;
import io.blkmount.block.bytes.BouncePool;
import io.blkmount.block.error.BlockException;
import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * Transfers around the page cache. Whole blocks go straight to the file, through a copy if their
 * memory is not aligned. What is left, the end of a file that is no multiple of the block, goes
 * through a second, buffered descriptor of the same file: padding it to a block would make the file
 * longer, and to cut it back would race with other writers.
 */
final class DirectTransfer implements Transfer, Closeable {
  /** Longest piece that is copied at once, a multiple of every block. */
  private static final int MAX_BOUNCE = 1 << 20;

  private final PosixFile file;
  private final int bufferedFlags;
  private final DirectAlignment alignment;
  private final ReentrantLock openLock = new ReentrantLock();
  private volatile @Nullable PosixFile buffered;

  /**
   * Creates a transfer.
   *
   * @param file opened with O_DIRECT; stays the caller's
   * @param writable whether it was opened for writing
   * @param alignment of it
   */
  DirectTransfer(PosixFile file, boolean writable, DirectAlignment alignment) {
    this.file = file;
    this.bufferedFlags = writable ? LibC.O_RDWR : LibC.O_RDONLY;
    this.alignment = alignment;
  }

  @Override
  public void read(long offset, ByteBuffer target) throws BlockException {
    int limit = target.limit();
    int whole = wholeBlocks(offset, target.remaining());
    boolean atEnd;
    try {
      readBlocks(offset, target.limit(target.position() + whole));
      atEnd = target.hasRemaining();
    } finally {
      target.limit(limit);
    }
    if (target.hasRemaining() && !atEnd) {
      buffered().read(offset + whole, target);
    }
  }

  private void readBlocks(long offset, ByteBuffer target) throws BlockException {
    if (!target.hasRemaining() || isAligned(target)) {
      readToEnd(offset, target);
      return;
    }
    long at = offset;
    boolean atEnd = false;
    while (target.hasRemaining() && !atEnd) {
      try (BouncePool.Bounce bounce = BouncePool.take(Math.min(target.remaining(), MAX_BOUNCE))) {
        ByteBuffer copy = bounce.buffer();
        readToEnd(at, copy);
        atEnd = copy.hasRemaining();
        at += copy.position();
        target.put(copy.flip());
      }
    }
  }

  /** Reads until the buffer is full or a read ends inside a block, as it does at the file's end. */
  private void readToEnd(long offset, ByteBuffer target) throws BlockException {
    int start = target.position();
    boolean more = target.hasRemaining();
    while (more) {
      int before = target.position();
      file.read(offset + before - start, target);
      int moved = target.position() - before;
      more = target.hasRemaining() && moved > 0 && Alignment.isAligned(moved, alignment.request());
    }
  }

  @Override
  public void write(long offset, ByteBuffer source) throws BlockException {
    int limit = source.limit();
    int whole = wholeBlocks(offset, source.remaining());
    try {
      writeBlocks(offset, source.limit(source.position() + whole));
    } finally { // who tries again writes all of it
      source.limit(limit);
    }
    if (source.hasRemaining()) {
      buffered().write(offset + whole, source);
    }
  }

  private void writeBlocks(long offset, ByteBuffer source) throws BlockException {
    if (!source.hasRemaining() || isAligned(source)) {
      file.write(offset, source);
      return;
    }
    long at = offset;
    while (source.hasRemaining()) {
      int length = Math.min(source.remaining(), MAX_BOUNCE);
      try (BouncePool.Bounce bounce = BouncePool.take(length)) {
        bounce.buffer().put(source.slice().limit(length)).flip();
        file.write(at, bounce.buffer());
      }
      source.position(source.position() + length);
      at += length;
    }
  }

  private int wholeBlocks(long offset, int length) {
    return Alignment.isAligned(offset, alignment.request())
        ? (int) Alignment.down(length, alignment.request())
        : 0;
  }

  private boolean isAligned(ByteBuffer buffer) {
    return buffer.isDirect()
        && Alignment.isAligned(LibC.address(buffer) + buffer.position(), alignment.memory());
  }

  private PosixFile buffered() throws BlockException {
    PosixFile open = buffered;
    if (open != null) {
      return open;
    }
    openLock.lock();
    try {
      if (buffered == null) {
        buffered = file.openAgain(bufferedFlags);
      }
      return buffered;
    } finally {
      openLock.unlock();
    }
  }

  /** Closes the buffered descriptor, if there is one. */
  @Override
  public void close() throws IOException {
    PosixFile open = buffered;
    if (open != null) {
      open.close();
    }
  }
}
