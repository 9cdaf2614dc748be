// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.bytes;

import java.nio.ByteBuffer;

/** Zero bytes: a source of them, a way to fill with them, a way to find them. */
public final class Zeroes {
  /** Length of the buffer that {@link #buffer} hands out slices of: 1 MiB, one FUSE request. */
  public static final int MAX_BUFFER = 1 << 20;

  private static final ByteBuffer ZEROES = BouncePool.allocate(MAX_BUFFER).asReadOnlyBuffer();

  private Zeroes() {}

  /**
   * Returns a read-only buffer of zeros whose address is aligned to a page.
   *
   * @param length in bytes, at most {@link #MAX_BUFFER}
   */
  public static ByteBuffer buffer(int length) {
    return ZEROES.slice(0, length);
  }

  /**
   * Fills what remains of {@code target} with zeros and consumes it.
   *
   * @param target position to limit is filled
   */
  public static void fill(ByteBuffer target) {
    while (target.hasRemaining()) {
      target.put(buffer(Math.min(target.remaining(), MAX_BUFFER)));
    }
  }

  /**
   * Returns whether every remaining byte of {@code source} is zero, without consuming it.
   *
   * @param source position to limit is looked at
   */
  public static boolean isZero(ByteBuffer source) {
    int position = source.position();
    while (position < source.limit()) {
      int length = Math.min(source.limit() - position, MAX_BUFFER);
      if (source.slice(position, length).mismatch(buffer(length)) >= 0) {
        return false;
      }
      position += length;
    }
    return true;
  }
}
