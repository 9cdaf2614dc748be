// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

/**
 * The second word of an extended L2 entry: two bits for each of 32 subclusters.
 *
 * <pre>
 * | 32-63 reads as zeros | 0-31 stored in the host cluster |      neither: the backing file is asked
 * </pre>
 *
 * <p>Both at once is corruption. A compressed cluster has no bits set.
 */
final class SubclusterMap {
  static final int COUNT = 32;

  /** The backing file is asked. */
  static final int ABSENT = 0;

  static final int STORED = 1;
  static final int ZERO = 2;

  static final long NONE = 0;
  static final long ALL_STORED = 0xffff_ffffL;
  static final long ALL_ZERO = ALL_STORED << COUNT;

  private SubclusterMap() {}

  /** Returns the bits of the stored subclusters. */
  static int stored(long map) {
    return (int) map;
  }

  /** Returns the bits of the subclusters that read as zeros. */
  static int zero(long map) {
    return (int) (map >>> COUNT);
  }

  /** Returns whether no subcluster is both. */
  static boolean isSound(long map) {
    return (stored(map) & zero(map)) == 0;
  }

  /** Returns the state of a subcluster: {@link #ABSENT}, {@link #STORED} or {@link #ZERO}. */
  static int state(long map, int index) {
    return (stored(map) >>> index & 1) | (zero(map) >>> index & 1) << 1;
  }

  /** Returns whether a subcluster is not in this image. */
  static boolean isAbsent(long map, int index) {
    return state(map, index) == ABSENT;
  }

  private static int bitsOf(long map, int state) {
    return switch (state) {
      case ABSENT -> ~(stored(map) | zero(map));
      case STORED -> stored(map);
      default -> zero(map);
    };
  }

  /** Returns how many subclusters from {@code index} on are in the same state, without a gap. */
  static int runLength(long map, int index) {
    // The shift brings in zeros, at which the run ends.
    return Integer.numberOfTrailingZeros(~(bitsOf(map, state(map, index)) >>> index));
  }

  /** Returns the bits of the subclusters from {@code first} to before {@code end}. */
  static int bits(int first, int end) {
    return (int) ((1L << end) - (1L << first));
  }

  /** Returns a map in which some subclusters are stored, others as before. */
  static long withStored(long map, int bits) {
    long low = Integer.toUnsignedLong(bits);
    return map & ~(low << COUNT) | low;
  }

  /** Returns a map in which some subclusters read as zeros, others as before. */
  static long withZero(long map, int bits) {
    long low = Integer.toUnsignedLong(bits);
    return map & ~low | low << COUNT;
  }
}
