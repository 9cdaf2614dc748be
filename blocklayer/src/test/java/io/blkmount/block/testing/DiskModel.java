// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.testing;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.BitSet;
import java.util.SplittableRandom;

/**
 * The plain array that a disk is compared with. A discarded byte may read as before or as zero
 * until it is read, and stays what it was read as. Not thread-safe.
 */
public final class DiskModel {
  private byte[] bytes;
  private final BitSet maybeZero = new BitSet();

  /**
   * Creates a model of a disk of zeros.
   *
   * @param length in bytes
   */
  public DiskModel(int length) {
    bytes = new byte[length];
  }

  /** Returns the length in bytes. */
  public int length() {
    return bytes.length;
  }

  /**
   * Changes the length; new bytes are zeros.
   *
   * @param length in bytes
   */
  public void truncate(int length) {
    maybeZero.clear(Math.min(length, bytes.length), Math.max(length, bytes.length));
    bytes = Arrays.copyOf(bytes, length);
  }

  /**
   * Writes, growing if need be.
   *
   * @param offset in bytes
   * @param source what; not consumed
   */
  public void write(int offset, ByteBuffer source) {
    int end = offset + source.remaining();
    if (end > bytes.length) {
      truncate(end);
    }
    source.duplicate().get(bytes, offset, end - offset);
    maybeZero.clear(offset, end);
  }

  /**
   * Zeroes a range.
   *
   * @param offset in bytes
   * @param length in bytes
   */
  public void writeZeroes(int offset, int length) {
    Arrays.fill(bytes, offset, offset + length, (byte) 0);
    maybeZero.clear(offset, offset + length);
  }

  /**
   * Discards a range: it may become zero.
   *
   * @param offset in bytes
   * @param length in bytes
   */
  public void discard(int offset, int length) {
    maybeZero.set(offset, offset + length);
  }

  /**
   * Takes {@code actual} as the truth: what a failed write left behind.
   *
   * @param offset in bytes
   * @param actual what was read; not consumed
   */
  public void accept(int offset, ByteBuffer actual) {
    write(offset, actual);
  }

  /**
   * Compares a range with what was read there.
   *
   * @param offset in bytes
   * @param actual what was read, position to limit; not consumed
   * @param context said in the failure: a seed, a step
   * @throws AssertionError that names the first wrong byte
   */
  public void check(int offset, ByteBuffer actual, Object context) {
    byte[] read = new byte[actual.remaining()];
    actual.duplicate().get(read);
    int from = 0;
    while (true) {
      int index =
          Arrays.mismatch(bytes, offset + from, offset + read.length, read, from, read.length);
      if (index < 0) {
        break;
      }
      from += index;
      if (!maybeZero.get(offset + from) || read[from] != 0) {
        throw new AssertionError(mismatch(offset + from, read[from], context));
      }
      bytes[offset + from] = 0;
    }
    maybeZero.clear(offset, offset + read.length);
  }

  private String mismatch(int offset, byte actual, Object context) {
    return String.format(
        "byte %d (0x%x) is 0x%02x, not 0x%02x%s: %s",
        offset, offset, actual, bytes[offset], maybeZero.get(offset) ? " or 0" : "", context);
  }

  /**
   * Returns a copy of a range.
   *
   * @param offset in bytes
   * @param length in bytes
   */
  public byte[] bytes(int offset, int length) {
    return Arrays.copyOfRange(bytes, offset, offset + length);
  }

  /**
   * Returns bytes that depend on the seed and never contain a zero, so that a lost write, or one
   * from elsewhere, is seen.
   *
   * @param length in bytes
   * @param seed of the pattern
   */
  public static byte[] pattern(int length, long seed) {
    byte[] pattern = new byte[length];
    new SplittableRandom(seed).nextBytes(pattern);
    for (int i = 0; i < length; i++) {
      pattern[i] |= 1;
    }
    return pattern;
  }
}
