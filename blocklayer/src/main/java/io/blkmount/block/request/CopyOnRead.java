// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.request;

import io.blkmount.block.bytes.Alignment;
import io.blkmount.block.bytes.BouncePool;
import io.blkmount.block.bytes.Zeroes;
import io.blkmount.block.driver.DriverInstance;
import io.blkmount.block.driver.Extent;
import io.blkmount.block.driver.WriteFlags;
import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * Stores in a layer what a read finds below it, in whole clusters. The copy is made from a buffer
 * of its own, because whoever reads may scribble over the target while the request runs.
 */
final class CopyOnRead {
  /** How much is copied at once, if a cluster is not longer. */
  private static final int COPY_LENGTH = 1 << 20;

  private final Layer layer;
  private final DriverInstance instance;
  private final PaddedWriter writer;
  private final ZeroRequests zeroes;
  private final int unit;

  CopyOnRead(Layer layer, PaddedWriter writer, ZeroRequests zeroes) {
    this.layer = layer;
    this.instance = layer.instance();
    this.writer = writer;
    this.zeroes = zeroes;
    this.unit = layer.changeUnit();
  }

  /**
   * Returns whether there is nothing to copy: this layer holds every byte of a range that the layer
   * below has at all.
   *
   * @param offset first byte
   * @param end one past the last byte
   */
  boolean isHeld(long offset, long end) throws IOException {
    long stop = Math.min(end, copyableLength());
    long position = offset;
    while (position < stop) {
      Extent extent = instance.extentAt(position, stop - position);
      if (!extent.isAllocated()) {
        return false;
      }
      position = extent.end();
    }
    return true;
  }

  /**
   * Copies up what this layer does not hold of the clusters that a range touches.
   *
   * @param offset first byte; the caller holds a serialising request over the whole units
   * @param end one past the last byte
   */
  void copyUp(long offset, long end) throws IOException {
    long below = Alignment.up(Math.min(end, copyableLength()), unit);
    long stop = Math.min(below, instance.length());
    long position = Alignment.down(offset, unit);
    while (position < stop) {
      Extent extent = instance.extentAt(position, stop - position);
      long runEnd = Math.min(extent.end(), stop);
      if (!extent.isAllocated()) {
        copyRun(position, runEnd);
      }
      position = runEnd;
    }
  }

  /** Past the end of the backing file there are zeros, and nothing that could be stored here. */
  private long copyableLength() throws IOException {
    Layer backing = layer.backing();
    return backing == null ? 0 : Math.min(instance.length(), backing.instance().length());
  }

  private void copyRun(long offset, long end) throws IOException {
    int longest = Math.max(unit, COPY_LENGTH);
    try (BouncePool.Bounce bounce = BouncePool.take((int) Math.min(end - offset, longest))) {
      ByteBuffer buffer = bounce.buffer();
      for (long position = offset; position < end; position += buffer.limit()) {
        buffer.clear().limit((int) Math.min(end - position, buffer.capacity()));
        ChainReader.readBelow(layer, position, buffer);
        store(position, buffer.flip());
      }
    }
  }

  private void store(long offset, ByteBuffer bytes) throws IOException {
    if (zeroes.isNative() && Zeroes.isZero(bytes)) {
      zeroes.write(offset, offset + bytes.remaining(), WriteFlags.UNCHANGED);
      bytes.position(bytes.limit());
    } else {
      writer.write(offset, bytes, WriteFlags.UNCHANGED);
    }
  }
}
