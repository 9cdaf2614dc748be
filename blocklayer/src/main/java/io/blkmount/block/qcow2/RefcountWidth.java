// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import java.nio.ByteBuffer;

/**
 * Refcounts of 1 to 64 bits as they lie in a refcount block: big endian from 8 bits on, below that
 * the first refcount of a byte is in its lowest bits.
 *
 * @param order binary logarithm of the width in bits, 0 to 6
 */
record RefcountWidth(int order) {
  int bits() {
    return 1 << order;
  }

  /** Returns the largest refcount; for 64 bits the largest that a long holds. */
  long max() {
    return order == 6 ? Long.MAX_VALUE : (1L << bits()) - 1;
  }

  /** Returns how many refcounts fit into {@code byteCount} bytes. */
  int perBytes(int byteCount) {
    return (int) (((long) byteCount << 3) >>> order);
  }

  /** Returns the refcount at {@code index}; one of 64 bits with the top bit set is negative. */
  long get(ByteBuffer block, int index) {
    return switch (order) {
      case 3 -> block.get(index) & 0xffL;
      case 4 -> block.getShort(index << 1) & 0xffffL;
      case 5 -> block.getInt(index << 2) & 0xffff_ffffL;
      case 6 -> block.getLong(index << 3);
      default -> (block.get(byteIndex(index)) >>> shift(index)) & max();
    };
  }

  /**
   * Stores a refcount.
   *
   * @param value 0 to {@link #max()}
   */
  void set(ByteBuffer block, int index, long value) {
    assert value >= 0 && value <= max() : value;
    switch (order) {
      case 3 -> block.put(index, (byte) value);
      case 4 -> block.putShort(index << 1, (short) value);
      case 5 -> block.putInt(index << 2, (int) value);
      case 6 -> block.putLong(index << 3, value);
      default -> setBits(block, index, (int) value);
    }
  }

  private void setBits(ByteBuffer block, int index, int value) {
    int old = block.get(byteIndex(index)) & ~((int) max() << shift(index));
    block.put(byteIndex(index), (byte) (old | value << shift(index)));
  }

  private int byteIndex(int index) {
    return index >> (3 - order);
  }

  private int shift(int index) {
    return (index << order) & 7;
  }
}
