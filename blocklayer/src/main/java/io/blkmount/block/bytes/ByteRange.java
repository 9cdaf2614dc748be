// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.bytes;

/**
 * A half-open range of bytes.
 *
 * @param offset first byte, not negative
 * @param length in bytes, not negative; {@code offset + length} fits into a long
 */
public record ByteRange(long offset, long length) {
  /** Checks the shape. */
  public ByteRange {
    if (offset < 0 || length < 0 || offset + length < 0) {
      throw new IllegalArgumentException("bad range: offset=" + offset + " length=" + length);
    }
  }

  /**
   * Returns the range from {@code start} to {@code end}.
   *
   * @param start first byte
   * @param end one past the last byte
   */
  public static ByteRange between(long start, long end) {
    return new ByteRange(start, end - start);
  }

  /** Returns one past the last byte. */
  public long end() {
    return offset + length;
  }

  /** Returns whether there is no byte in it. */
  public boolean isEmpty() {
    return length == 0;
  }

  /**
   * Returns whether any byte is in both ranges.
   *
   * @param other the other range
   */
  public boolean overlaps(ByteRange other) {
    return offset < other.end() && other.offset < end();
  }

  /**
   * Returns whether every byte of {@code other} is in this range.
   *
   * @param other the other range
   */
  public boolean contains(ByteRange other) {
    return offset <= other.offset && other.end() <= end();
  }

  /**
   * Returns this range widened to multiples of {@code alignment} at both ends.
   *
   * @param alignment a power of two
   */
  public ByteRange alignedOut(long alignment) {
    return between(Alignment.down(offset, alignment), Alignment.up(end(), alignment));
  }
}
