// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.file;

import jnr.ffi.Platform;
import jnr.ffi.annotations.In;

/**
 * The system calls that host files need, as the C library of 64-bit Linux has them. Memory is given
 * by address, so that nothing is copied or allocated on the way; every call saves errno.
 */
final class LibC {
  static final int O_RDONLY = 0;
  static final int O_RDWR = 2;
  static final int O_CREAT = 0x40;
  static final int O_EXCL = 0x80;
  static final int O_NOCTTY = 0x100;
  static final int O_NONBLOCK = 0x800;
  static final int O_CLOEXEC = 0x80000;

  static final int AT_FDCWD = -100;
  static final int AT_EMPTY_PATH = 0x1000;

  static final int SEEK_DATA = 3;
  static final int SEEK_HOLE = 4;

  static final int FALLOC_FL_KEEP_SIZE = 0x1;
  static final int FALLOC_FL_PUNCH_HOLE = 0x2;
  static final int FALLOC_FL_ZERO_RANGE = 0x10;

  static final int F_GETFL = 3;
  static final int F_SETFL = 4;
  static final int F_OFD_GETLK = 36;
  static final int F_OFD_SETLK = 37;
  static final short F_RDLCK = 0;
  static final short F_WRLCK = 1;
  static final short F_UNLCK = 2;

  static final long BLKROGET = 0x125e;
  static final long BLKSSZGET = 0x1268;
  static final long BLKDISCARD = 0x1277;
  static final long BLKZEROOUT = 0x127f;
  static final long BLKGETSIZE64 = 0x80081272L;

  static final int STATX_BASIC_STATS = 0x7ff;
  static final int STATX_DIOALIGN = 0x2000;

  /** Returns O_DIRECT, which is not the same number on all processors. */
  static int directFlag() {
    return switch (Platform.getNativePlatform().getCPU()) {
      case AARCH64, ARM -> 0x10000;
      case PPC64, PPC64LE -> 0x20000;
      default -> 0x4000;
    };
  }

  private LibC() {}

  /** The calls; public because jnr-ffi implements it in a class loader of its own. */
  public interface Calls {
    int open(@In byte[] name, int flags, int mode);

    int close(int descriptor);

    long pread(int descriptor, long address, long count, long offset);

    long pwrite(int descriptor, long address, long count, long offset);

    long lseek(int descriptor, long offset, int whence);

    int ftruncate(int descriptor, long length);

    int fallocate(int descriptor, int mode, long offset, long length);

    int fdatasync(int descriptor);

    int fsync(int descriptor);

    int fcntl(int descriptor, int command, long argument);

    int ioctl(int descriptor, long request, long argument);

    int statx(int directory, @In byte[] name, int flags, int mask, long address);

    int fstatfs(int descriptor, long address);

    int unlink(@In byte[] name);
  }
}
