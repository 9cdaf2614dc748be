// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import java.util.random.RandomGenerator;

/** Numbers on which arithmetic and limits of the format turn. */
final class EdgeValues {
  private static final long[] EDGES = {
    0,
    1,
    2,
    7,
    8,
    9,
    16,
    21,
    23,
    24,
    47,
    48,
    72,
    104,
    112,
    511,
    512,
    65535,
    65536,
    65537,
    Integer.MAX_VALUE,
    1L << 31,
    0xfffffff8L,
    0xffffffffL,
    1L << 55,
    1L << 56,
    1L << 62,
    Long.MAX_VALUE,
    Long.MIN_VALUE,
    -8,
    -1
  };

  private EdgeValues() {}

  static long any(RandomGenerator random) {
    return EDGES[random.nextInt(EDGES.length)];
  }
}
