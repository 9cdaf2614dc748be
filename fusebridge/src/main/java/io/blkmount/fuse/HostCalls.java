// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse;

import io.blkmount.block.bytes.HostName;
import io.blkmount.block.error.BlockException;
import java.lang.ref.Reference;
import java.util.function.LongFunction;
import jnr.ffi.LastError;
import jnr.ffi.Memory;
import jnr.ffi.Pointer;
import jnr.ffi.Runtime;

/** What mounting asks of the host; a name reaches the kernel byte for byte. */
public final class HostCalls {
  private static final HostLibrary.Calls LIBRARY = HostLibrary.CALLS;
  private static final Runtime RUNTIME = Runtime.getRuntime(LIBRARY);

  private static final int AT_FDCWD = -100;

  private static final int O_RDWR = 2;
  private static final int O_CLOEXEC = 0x80000;

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
            path,
            name ->
                LIBRARY.statx(AT_FDCWD, name, AT_STATX_FORCE_SYNC, BASIC_STATS, result.address()));
    if (answer != 0) {
      throw failure(path);
    }
    return StatxLayout.read(result);
  }

  /** Returns the name without links, {@code .} and {@code ..}; does not ask what it leads to. */
  static String realPath(String path) throws BlockException {
    long resolved = withName(path, name -> LIBRARY.realpath(name, 0));
    if (resolved == 0) {
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
    long directory = withName(path, LIBRARY::opendir);
    if (directory == 0) {
      throw failure(path);
    }
    int entries = 0;
    while (entries <= ENTRIES_OF_EMPTY && LIBRARY.readdir(directory) != 0) {
      entries++;
    }
    if (LIBRARY.closedir(directory) != 0) {
      throw failure(path);
    }
    return entries <= ENTRIES_OF_EMPTY;
  }

  /** Mounts a file system of the kernel's own that has no device. */
  static void mount(String type, String directory) throws BlockException {
    mount(type, directory, type, NO_RIGHTS, "");
  }

  /**
   * Calls mount(2).
   *
   * @param source what mount(8) shows before {@code on}
   * @param mountPoint without links
   * @param type of file system
   * @param flags MS_NOSUID and its like
   * @param data options of the file system, separated by commas
   * @throws BlockException that names the mount point and the host's reason
   */
  public static void mount(String source, String mountPoint, String type, long flags, String data)
      throws BlockException {
    Pointer[] names = {name(source), name(mountPoint), name(type), name(data)};
    int answer =
        LIBRARY.mount(
            names[0].address(), names[1].address(), names[2].address(), flags, names[3].address());
    Reference.reachabilityFence(names);
    if (answer != 0) {
      throw failure(mountPoint);
    }
  }

  /**
   * Opens a file for reading and writing; no program that this process starts inherits it.
   *
   * @param path of the file
   * @return the descriptor; the caller closes it
   * @throws BlockException that names the file and the host's reason
   */
  public static int open(String path) throws BlockException {
    int descriptor = withName(path, name -> LIBRARY.open(name, O_RDWR | O_CLOEXEC));
    if (descriptor < 0) {
      throw failure(path);
    }
    return descriptor;
  }

  /**
   * Closes a descriptor, whatever the host says to that: it is free afterwards in any case.
   *
   * @param descriptor an open one
   */
  public static void close(int descriptor) {
    LIBRARY.close(descriptor);
  }

  /** Calls umount2(2). */
  static void unmount(String mountPoint, int flags) throws BlockException {
    if (withName(mountPoint, name -> LIBRARY.umount2(name, flags)) != 0) {
      throw failure(mountPoint);
    }
  }

  /** Returns whether this process has the rights of root. */
  public static boolean isRoot() {
    return LIBRARY.geteuid() == 0;
  }

  /** Returns the user id that this process was started with. */
  public static int userId() {
    return LIBRARY.getuid();
  }

  /** Returns the group id that this process was started with. */
  public static int groupId() {
    return LIBRARY.getgid();
  }

  /** Calls with a name as C has it, which lives until the call returns. */
  private static <T> T withName(String name, LongFunction<T> call) {
    Pointer memory = name(name);
    try {
      return call.apply(memory.address());
    } finally {
      Reference.reachabilityFence(memory);
    }
  }

  /** Returns the name as C has it; the memory lives as long as the pointer. */
  private static Pointer name(String name) {
    byte[] bytes = HostName.encode(name);
    Pointer memory = Memory.allocateDirect(RUNTIME, bytes.length + 1, true);
    memory.put(0, bytes, 0, bytes.length);
    return memory;
  }

  /** Returns the failure of the last call: the host's words after the name. */
  private static BlockException failure(String path) {
    return failure(path, LastError.getLastError(RUNTIME));
  }

  /**
   * Returns the failure of a call that tells its error by itself.
   *
   * @param path what the call was about
   * @param errno positive
   */
  public static BlockException failure(String path, int errno) {
    return new BlockException(
        Errnos.errorOf(errno),
        "\"" + HostName.printable(path) + "\": " + decode(LIBRARY.strerror(errno)));
  }

  private static String decode(long text) {
    return HostName.decode(NativeStrings.bytes(Pointer.wrap(RUNTIME, text)));
  }
}
