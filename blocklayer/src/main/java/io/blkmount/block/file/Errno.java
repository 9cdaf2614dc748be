// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.file;

import io.blkmount.block.error.BlockError;

/**
 * What a Linux error number means: the one table from errno to {@link BlockError}.
 *
 * @param number as the kernel gives it
 * @param error what callers see
 * @param text for messages
 */
record Errno(int number, BlockError error, String text) {
  static final int EPERM = 1;
  static final int EINTR = 4;
  static final int EIO = 5;
  static final int ENXIO = 6;
  static final int EAGAIN = 11;
  static final int EACCES = 13;
  static final int EBUSY = 16;
  static final int EXDEV = 18;
  static final int ENODEV = 19;
  static final int EINVAL = 22;
  static final int ENOTTY = 25;
  static final int ETXTBSY = 26;
  static final int EROFS = 30;
  static final int ENOLCK = 37;
  static final int ENOSYS = 38;
  static final int EOPNOTSUPP = 95;

  static Errno of(int number) {
    return switch (number) {
      case EPERM -> is(number, BlockError.NOT_PERMITTED, "operation not permitted");
      case 2 -> is(number, BlockError.NOT_FOUND, "no such file");
      case EINTR -> is(number, BlockError.INTERRUPTED, "interrupted system call");
      case EIO -> is(number, BlockError.IO, "input/output error");
      case ENXIO, ENODEV ->
          is(number, BlockError.NO_SUCH_DEVICE_OR_ADDRESS, "no such device or address");
      case EAGAIN -> is(number, BlockError.LOCKED, "locked by somebody else");
      case 12 -> is(number, BlockError.NO_MEMORY, "out of memory");
      case EACCES -> is(number, BlockError.ACCESS_DENIED, "permission denied");
      case EBUSY -> is(number, BlockError.BUSY, "device or file is busy");
      case 17 -> is(number, BlockError.INVALID, "exists already");
      case 20 -> is(number, BlockError.NOT_DIRECTORY, "a part of the path is not a directory");
      case 21 -> is(number, BlockError.IS_DIRECTORY, "is a directory");
      case EINVAL -> is(number, BlockError.INVALID, "invalid argument");
      case 23, 24 -> is(number, BlockError.TOO_MANY_FILES, "too many open files");
      case ETXTBSY -> is(number, BlockError.BUSY, "a program that is being run");
      case 27 -> is(number, BlockError.TOO_BIG, "file too large");
      case 28 -> is(number, BlockError.NO_SPACE, "no space left on device");
      case EROFS -> is(number, BlockError.READ_ONLY, "read-only file system");
      case 36 -> is(number, BlockError.NAME_TOO_LONG, "file name too long");
      case 40 -> is(number, BlockError.LOOP, "too many symbolic links");
      case ENOLCK -> is(number, BlockError.NOT_SUPPORTED, "no locks available");
      case ENOTTY, ENOSYS, EOPNOTSUPP -> is(number, BlockError.NOT_SUPPORTED, "not supported");
      case 110 -> is(number, BlockError.TIMED_OUT, "timed out");
      case 116 -> is(number, BlockError.STALE, "stale file handle");
      case 122 -> is(number, BlockError.QUOTA, "disk quota exceeded");
      case 123 -> is(number, BlockError.NO_MEDIUM, "no medium found");
      default -> is(number, BlockError.IO, "errno " + number);
    };
  }

  private static Errno is(int number, BlockError error, String text) {
    return new Errno(number, error, text);
  }
}
