// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.bytes;

/** Rounding to powers of two. */
public final class Alignment {
  private Alignment() {}

  /**
   * Returns the largest multiple of {@code alignment} that is not above {@code value}.
   *
   * @param value not negative
   * @param alignment a power of two
   */
  public static long down(long value, long alignment) {
    assert isPowerOfTwo(alignment) : alignment;
    return value & -alignment;
  }

  /**
   * Returns the smallest multiple of {@code alignment} that is not below {@code value}.
   *
   * @param value not negative
   * @param alignment a power of two
   * @throws ArithmeticException if the result does not fit into a long
   */
  public static long up(long value, long alignment) {
    return down(Math.addExact(value, alignment - 1), alignment);
  }

  /**
   * Returns whether {@code value} is a multiple of {@code alignment}.
   *
   * @param value any number
   * @param alignment a power of two
   */
  public static boolean isAligned(long value, long alignment) {
    assert isPowerOfTwo(alignment) : alignment;
    return (value & (alignment - 1)) == 0;
  }

  /**
   * Returns whether {@code value} is a power of two.
   *
   * @param value any number
   */
  public static boolean isPowerOfTwo(long value) {
    return value > 0 && (value & (value - 1)) == 0;
  }
}
