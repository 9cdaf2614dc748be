// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.request;

import io.blkmount.block.driver.Extent;
import java.io.IOException;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/**
 * Reads through a chain of layers: what one does not hold is asked of the next, in a loop, so that
 * the depth of a chain costs no stack. Past the end of a layer it decides for zeros, whatever
 * longer layers lie below it.
 */
final class ChainReader {
  private ChainReader() {}

  /**
   * Fills {@code target}.
   *
   * @param top where to start; the caller holds a tracked request of it over the range
   * @param offset in bytes, any alignment
   * @param target filled from position to limit
   */
  static void read(Layer top, long offset, ByteBuffer target) throws IOException {
    long position = offset;
    while (target.hasRemaining()) {
      long run = top.readHeld(position, target, target.remaining());
      position += run > 0 ? run : readFrom(top.backing(), position, target, (int) -run);
    }
  }

  /**
   * Fills {@code target} with what lies below a layer.
   *
   * @param top whose backing file is read
   * @param offset in bytes, any alignment
   * @param target filled from position to limit
   */
  static void readBelow(Layer top, long offset, ByteBuffer target) throws IOException {
    long position = offset;
    while (target.hasRemaining()) {
      position += readFrom(top.backing(), position, target, target.remaining());
    }
  }

  /** Reads the start of a range from the first layer that holds it; returns the length read. */
  private static long readFrom(@Nullable Layer from, long offset, ByteBuffer target, int count)
      throws IOException {
    int span = count;
    for (Layer layer = from; layer != null; layer = layer.backing()) {
      int absent = layer.absentLength(offset, span);
      long run = absent > 0 ? -absent : layer.readTracked(offset, target, span);
      if (run > 0) {
        return run;
      }
      span = (int) -run;
    }
    return Layer.zeroFill(target, span);
  }

  /**
   * Returns whether a range is known to read as zeros, without reading it.
   *
   * @param top where to start; the caller holds a tracked request of it over the range
   * @param offset in bytes
   * @param end one past the last byte
   */
  static boolean readsAsZero(Layer top, long offset, long end) throws IOException {
    long position = offset;
    while (position < end) {
      long run = zeroRun(top, position, end - position);
      if (run == 0) {
        return false;
      }
      position += run;
    }
    return true;
  }

  private static long zeroRun(Layer top, long offset, long maxLength) throws IOException {
    long span = maxLength;
    for (Layer layer = top; layer != null; layer = layer.backing()) {
      Extent extent = layer == top ? top.extentHeld(offset, span) : layer.extent(offset, span);
      span = Math.min(span, extent.length());
      if (extent.isAllocated()) {
        return extent.kind() == Extent.Kind.ZERO ? span : 0;
      }
    }
    return span;
  }
}
