// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse;

/** The flags of open(2) that matter to a disk, with the numbers of Linux. */
final class OpenFlags {
  static final int READ_ONLY = 0;
  static final int WRITE_ONLY = 1;
  static final int READ_WRITE = 2;
  static final int TRUNCATE = 0x200;

  private static final int ACCESS_MODE = 3;

  private OpenFlags() {}

  static boolean writes(int flags) {
    return (flags & ACCESS_MODE) != READ_ONLY;
  }

  static boolean truncates(int flags) {
    return (flags & TRUNCATE) != 0;
  }
}
