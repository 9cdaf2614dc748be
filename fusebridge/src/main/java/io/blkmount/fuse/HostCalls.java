// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse;

import io.blkmount.block.bytes.HostName;
import io.blkmount.block.error.BlockException;
import java.lang.ref.Reference;
import java.util.function.Function;
import jnr.ffi.LastError;
import jnr.ffi.Memory;
import jnr.ffi.Pointer;
import jnr.ffi.Runtime;

/** What mounting asks of the host about names; a name reaches the kernel byte for byte. */
final class HostCalls {
  private static final HostLibrary.Calls LIBRARY = HostLibrary.CALLS;
  private static final Runtime RUNTIME = Runtime.getRuntime(LIBRARY);

  private static final int AT_FDCWD = -100;

  /** Asks the file system itself: what is cached of a dead mount still looks alive. */
  private static final int AT_STATX_FORCE_SYNC = 0x2000;

  private static final int BASIC_STATS = 0x7ff;

  /** MS_NOSUID, MS_NODEV and MS_NOEXEC. */
  private static final int NO_RIGHTS = 2 | 4 | 8;

  /** Two entries are in every directory. */
  private static final int ENTRIES_OF_EMPTY = 2;

  private HostCalls() {}

  /**
   * What a name leads to.
   *
   * @param mode type and permissions
   * @param size in bytes
   * @param device as mountinfo writes it, such as {@code 0:45}
   */
  record Status(int mode, long size, String device) {
    boolean isDirectory() {
      return (mode & 0170000) == FileAttributes.DIRECTORY_TYPE;
    }

    boolean isRegularFile() {
      return (mode & 0170000) == FileAttributes.FILE_TYPE;
    }
  }

  /** Returns the status of what a name leads to. */
  static Status status(String path) throws BlockException {
    Pointer result = StatxLayout.allocate(RUNTIME);
    int answer =
        withName(
            path, name -> LIBRARY.statx(AT_FDCWD, name, AT_STATX_FORCE_SYNC, BASIC_STATS, result));
    if (answer != 0) {
      throw failure(path);
    }
    return StatxLayout.read(result);
  }

  /** Returns the name without links, {@code .} and {@code ..}; does not ask what it leads to. */
  static String realPath(String path) throws BlockException {
    Pointer resolved = withName(path, name -> LIBRARY.realpath(name, null));
    if (resolved == null) {
      throw failure(path);
    }
    try {
      return decode(resolved);
    } finally {
      LIBRARY.free(resolved);
    }
  }

  /** Returns whether a directory has no entries. */
  static boolean isEmptyDirectory(String path) throws BlockException {
    Pointer directory = withName(path, LIBRARY::opendir);
    if (directory == null) {
      throw failure(path);
    }
    int entries = 0;
    while (entries <= ENTRIES_OF_EMPTY && LIBRARY.readdir(directory) != null) {
      entries++;
    }
    if (LIBRARY.closedir(directory) != 0) {
      throw failure(path);
    }
    return entries <= ENTRIES_OF_EMPTY;
  }

  /** Mounts a file system of the kernel's own that has no device. */
  static void mount(String type, String directory) throws BlockException {
    int answer =
        withName(
            type,
            typeName ->
                withName(
                    directory,
                    target -> LIBRARY.mount(typeName, target, typeName, NO_RIGHTS, null)));
    if (answer != 0) {
      throw failure(directory);
    }
  }

  /** Calls umount2(2). */
  static void unmount(String mountPoint, int flags) throws BlockException {
    if (withName(mountPoint, name -> LIBRARY.umount2(name, flags)) != 0) {
      throw failure(mountPoint);
    }
  }

  static boolean isRoot() {
    return LIBRARY.geteuid() == 0;
  }

  /** Calls with a name as C has it, which lives until the call returns. */
  private static <T> T withName(String name, Function<Pointer, T> call) {
    byte[] bytes = HostName.encode(name);
    Pointer memory = Memory.allocateDirect(RUNTIME, bytes.length + 1, true);
    try {
      memory.put(0, bytes, 0, bytes.length);
      return call.apply(memory);
    } finally {
      Reference.reachabilityFence(memory);
    }
  }

  /** Returns the failure of the last call: the host's words after the name. */
  private static BlockException failure(String path) {
    int errno = LastError.getLastError(RUNTIME);
    return new BlockException(
        Errnos.errorOf(errno),
        "\"" + HostName.printable(path) + "\": " + decode(LIBRARY.strerror(errno)));
  }

  private static String decode(Pointer text) {
    byte[] bytes = new byte[text.indexOf(0, (byte) 0)];
    text.get(0, bytes, 0, bytes.length);
    return HostName.decode(bytes);
  }
}
