// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

/**
 * An L1 entry: bits 9 to 55 the host offset of an L2 table, bit 63 COPIED (its refcount is exactly
 * one), the others zero.
 */
final class L1Entry {
  private static final long COPIED = 1L << 63;
  static final long OFFSET_MASK = 0x00ff_ffff_ffff_fe00L;

  private L1Entry() {}

  static long of(long l2HostOffset) {
    return l2HostOffset | COPIED;
  }

  /** Returns an entry, of an L2 table as well, whose cluster is not its own. */
  static long shared(long entry) {
    return entry & ~COPIED;
  }

  /** Returns the host offset of the L2 table, 0 if there is none. */
  static long l2Offset(long entry) {
    return entry & OFFSET_MASK;
  }

  static boolean isCopied(long entry) {
    return (entry & COPIED) != 0;
  }
}
