// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.file;

import com.kenai.jffi.MemoryIO;
import io.blkmount.block.bytes.BouncePool;
import io.blkmount.block.bytes.Zeroes;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import jnr.ffi.LibraryLoader;
import jnr.ffi.Platform;
import jnr.ffi.Runtime;

/**
 * The system calls that host files need, as the C library of 64-bit Linux has them. Memory is given
 * by address, names too, so that nothing is copied or allocated on the way, and jnr-ffi need not
 * learn at each start how to; every call saves errno. The JVM has the library loaded already: to
 * look for its file takes longer.
 */
final class LibC {
  static final Calls CALLS = LibraryLoader.create(Calls.class).load(LibraryLoader.DEFAULT_LIBRARY);

  private static final Runtime RUNTIME = Runtime.getRuntime(CALLS);
  private static final MemoryIO MEMORY = MemoryIO.getInstance();

  static final int O_RDONLY = 0;
  static final int O_RDWR = 2;
  static final int O_CREAT = 0x40;
  static final int O_EXCL = 0x80;
  static final int O_NOCTTY = 0x100;
  static final int O_NONBLOCK = 0x800;
  static final int O_CLOEXEC = 0x80000;

  static final long PROC_SUPER_MAGIC = 0x9fa0;
  static final long SYSFS_MAGIC = 0x62656572;
  static final long DEBUGFS_MAGIC = 0x64626720;
  static final long TRACEFS_MAGIC = 0x74726163;
  static final long CGROUP2_SUPER_MAGIC = 0x63677270;

  static final int AT_FDCWD = -100;
  static final int AT_EMPTY_PATH = 0x1000;
  static final int AT_SYMLINK_NOFOLLOW = 0x100;

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

  /**
   * Returns whether files of a file system are made up by the kernel as they are read.
   *
   * @param type f_type of statfs(2)
   */
  static boolean isPseudoFileSystem(long type) {
    return type == PROC_SUPER_MAGIC
        || type == SYSFS_MAGIC
        || type == DEBUGFS_MAGIC
        || type == TRACEFS_MAGIC
        || type == CGROUP2_SUPER_MAGIC;
  }

  /** Returns O_DIRECT, which is not the same number on all processors. */
  static int directFlag() {
    return switch (Platform.getNativePlatform().getCPU()) {
      case AARCH64, ARM -> 0x10000;
      case PPC64, PPC64LE -> 0x20000;
      default -> 0x4000;
    };
  }

  private LibC() {}

  /** Returns the error number of this thread's last call that failed. */
  static int errno() {
    return RUNTIME.getLastError();
  }

  /**
   * Returns where in memory a buffer begins, whatever its position.
   *
   * @param buffer a direct buffer, which must stay reachable while the address is used
   */
  static long address(ByteBuffer buffer) {
    return MEMORY.getDirectBufferAddress(buffer);
  }

  /**
   * Returns a borrowed buffer as memory for a C structure, all zeros.
   *
   * @param bounce what was borrowed
   */
  static ByteBuffer struct(BouncePool.Bounce bounce) {
    ByteBuffer struct = bounce.buffer().order(ByteOrder.nativeOrder());
    Zeroes.fill(struct.duplicate());
    return struct;
  }

  /** The calls; public because jnr-ffi implements it in a class loader of its own. */
  public interface Calls {
    int open(long name, int flags, int mode);

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

    int statx(int directory, long name, int flags, int mask, long address);

    int fstatfs(int descriptor, long address);

    int unlink(long name);
  }
}
