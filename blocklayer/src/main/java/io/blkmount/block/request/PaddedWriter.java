// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.request;

import io.blkmount.block.bytes.Alignment;
import io.blkmount.block.bytes.BouncePool;
import io.blkmount.block.driver.BlockLimits;
import io.blkmount.block.driver.DriverInstance;
import io.blkmount.block.driver.Preallocation;
import io.blkmount.block.driver.WriteFlags;
import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * Writes at any alignment by read-modify-write of the first and the last block. The caller holds a
 * tracked request; for an unaligned write a serialising one over the whole blocks, from {@link
 * Layer#beginChange}. Both blocks are read before anything is written, so that a failing read
 * leaves the disk as it was. Where everything is to be compressed a block is a cluster.
 */
final class PaddedWriter {
  private final Layer layer;
  private final DriverInstance instance;
  private final TransferSplitter splitter;
  private final WriteFlags added;
  private final int alignment;
  private final int oneCallLength;

  PaddedWriter(Layer layer, boolean compress) {
    BlockLimits limits = layer.limits();
    this.layer = layer;
    this.instance = layer.instance();
    this.splitter = new TransferSplitter(instance);
    this.added = compress ? WriteFlags.COMPRESSED : WriteFlags.NONE;
    this.alignment = Math.max(limits.requestAlignment(), compress ? limits.clusterSize() : 1);
    this.oneCallLength = Math.min(LayerReader.ONE_CALL_LENGTH, limits.maxTransfer());
  }

  /** Returns what offset and length of a write are padded to. */
  int alignment() {
    return alignment;
  }

  /**
   * Returns whether a range is whole blocks.
   *
   * @param offset first byte
   * @param end one past the last byte
   */
  boolean isAligned(long offset, long end) {
    return Alignment.isAligned(offset | end, alignment);
  }

  /**
   * Writes.
   *
   * @param offset in bytes, any alignment
   * @param source consumed
   * @param flags what the driver does not know of them is left out
   */
  void write(long offset, ByteBuffer source, WriteFlags flags) throws IOException {
    long end = offset + source.remaining();
    WriteFlags all = flags.with(added);
    if (isAligned(offset, end)) {
      splitter.write(offset, source, all);
      return;
    }
    long oldLength = instance.length();
    // Only a padded tail: cutting after a whole one would take along what others append meanwhile.
    boolean growsTooFar =
        !Alignment.isAligned(end, alignment) && Alignment.up(end, alignment) > oldLength;
    if (growsTooFar) {
      writeAndCut(offset, source, all, Math.max(oldLength, end));
    } else {
      writePadded(offset, source, all);
    }
  }

  private void writeAndCut(long offset, ByteBuffer source, WriteFlags flags, long newLength)
      throws IOException {
    layer.length().beginPadding(newLength);
    try {
      writePadded(offset, source, flags);
      cut(newLength);
    } catch (IOException | RuntimeException | Error failure) {
      cutAfter(failure, newLength);
      throw failure;
    } finally {
      layer.length().endPadding();
    }
  }

  private void writePadded(long offset, ByteBuffer source, WriteFlags flags) throws IOException {
    long start = Alignment.down(offset, alignment);
    long stop = Alignment.up(offset + source.remaining(), alignment);
    if (stop - start <= Math.max(oneCallLength, alignment)) {
      writeWhole(offset, source, flags);
    } else {
      writeParts(offset, source, flags);
    }
  }

  /** One driver call for a short request: the body is copied between its two edges. */
  private void writeWhole(long offset, ByteBuffer source, WriteFlags flags) throws IOException {
    long end = offset + source.remaining();
    long start = Alignment.down(offset, alignment);
    int length = (int) (Alignment.up(end, alignment) - start);
    try (BouncePool.Bounce bounce = BouncePool.take(length)) {
      ByteBuffer blocks = bounce.buffer();
      if (offset != start) {
        ChainReader.read(layer, start, blocks.slice(0, alignment));
      }
      if (end != start + length && (length > alignment || offset == start)) {
        int last = length - alignment;
        ChainReader.read(layer, start + last, blocks.slice(last, alignment));
      }
      blocks.position((int) (offset - start)).put(source).position(0);
      splitter.write(start, blocks, flags);
    }
  }

  /** Head, body and tail: the body goes out of the caller's buffer. */
  private void writeParts(long offset, ByteBuffer source, WriteFlags flags) throws IOException {
    long end = offset + source.remaining();
    int headLength = (int) (Alignment.up(offset, alignment) - offset);
    int tailLength = (int) (end - Alignment.down(end, alignment));
    try (BouncePool.Bounce head = edge(headLength, Alignment.down(offset, alignment));
        BouncePool.Bounce tail = edge(tailLength, Alignment.down(end, alignment))) {
      writeHead(offset, source, headLength, head, flags);
      int bodyLength = source.remaining() - tailLength;
      splitter.write(offset + headLength, source.slice(source.position(), bodyLength), flags);
      source.position(source.position() + bodyLength);
      writeTail(end - tailLength, source, tail, flags);
    }
  }

  /** Borrows a block and reads it, or borrows an empty one when the edge is aligned. */
  private BouncePool.Bounce edge(int partLength, long blockOffset) throws IOException {
    BouncePool.Bounce bounce = BouncePool.take(partLength == 0 ? 0 : alignment);
    boolean filled = false;
    try {
      ChainReader.read(layer, blockOffset, bounce.buffer());
      bounce.buffer().clear();
      filled = true;
      return bounce;
    } finally {
      if (!filled) {
        bounce.close();
      }
    }
  }

  private void writeHead(
      long offset, ByteBuffer source, int length, BouncePool.Bounce head, WriteFlags flags)
      throws IOException {
    if (length > 0) {
      ByteBuffer block = head.buffer();
      block.put(alignment - length, source, source.position(), length);
      source.position(source.position() + length);
      splitter.write(Alignment.down(offset, alignment), block, flags);
    }
  }

  private void writeTail(
      long blockOffset, ByteBuffer source, BouncePool.Bounce tail, WriteFlags flags)
      throws IOException {
    if (source.hasRemaining()) {
      ByteBuffer block = tail.buffer();
      block.put(source).position(0);
      splitter.write(blockOffset, block, flags);
    }
  }

  private void cut(long length) throws IOException {
    if (instance.length() > length) {
      instance.truncate(length, Preallocation.OFF);
    }
  }

  private void cutAfter(Throwable failure, long length) {
    try {
      cut(length);
    } catch (IOException | RuntimeException second) {
      failure.addSuppressed(second);
    }
  }
}
