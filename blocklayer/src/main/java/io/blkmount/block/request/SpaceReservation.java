// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.request;

import io.blkmount.block.bytes.BouncePool;
import io.blkmount.block.driver.DriverInstance;
import io.blkmount.block.driver.Extent;
import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * Makes sure that later writes need no new space: by the driver, or by reading what is not stored
 * here through the chain and writing it back.
 */
final class SpaceReservation {
  /** How much is copied at once: a few clusters of any size, one buffer of the pool. */
  private static final int COPY_LENGTH = 2 << 20;

  private final Layer layer;
  private final DriverInstance instance;
  private final PaddedWriter writer;

  SpaceReservation(Layer layer, PaddedWriter writer) {
    this.layer = layer;
    this.instance = layer.instance();
    this.writer = writer;
  }

  /**
   * Reserves under a serialising request over whole units that the caller holds.
   *
   * @param offset first byte
   * @param end one past the last byte; past the end of a growable file only it can reserve
   */
  void reserve(long offset, long end) throws IOException {
    try {
      instance.reserve(offset, end - offset);
    } catch (BlockException failure) {
      if (failure.error() != BlockError.NOT_SUPPORTED) {
        throw failure;
      }
      storeAll(offset, Math.min(end, instance.length()));
    }
  }

  private void storeAll(long offset, long end) throws IOException {
    long position = offset;
    while (position < end) {
      Extent extent = instance.extentAt(position, end - position);
      long stop = Math.min(end, extent.end());
      if (extent.hostOffset() == Extent.NO_HOST_OFFSET) {
        store(position, stop);
      }
      position = stop;
    }
  }

  private void store(long offset, long end) throws IOException {
    try (BouncePool.Bounce bounce = BouncePool.take((int) Math.min(end - offset, COPY_LENGTH))) {
      ByteBuffer buffer = bounce.buffer();
      for (long position = offset; position < end; position += buffer.limit()) {
        buffer.clear().limit((int) Math.min(end - position, buffer.capacity()));
        ChainReader.read(layer, position, buffer);
        writer.write(position, buffer.flip(), WriteFlags.UNCHANGED);
      }
    }
  }
}
