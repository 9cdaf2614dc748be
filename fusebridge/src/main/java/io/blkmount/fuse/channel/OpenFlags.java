// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse.channel;

import jnr.ffi.Platform;

/**
 * The flags of open(2) that decide how the kernel treats a file.
 *
 * @param bits as open(2) has them
 */
record OpenFlags(int bits) {
  private static final int ACCESS_MODE = 3;
  private static final int READ_ONLY = 0;

  /** O_DIRECT, which is not the same number on all processors. */
  private static final int DIRECT =
      switch (Platform.getNativePlatform().getCPU()) {
        case AARCH64, ARM -> 0x10000;
        case PPC64, PPC64LE -> 0x20000;
        default -> 0x4000;
      };

  boolean direct() {
    return (bits & DIRECT) != 0;
  }

  boolean writes() {
    return (bits & ACCESS_MODE) != READ_ONLY;
  }
}
