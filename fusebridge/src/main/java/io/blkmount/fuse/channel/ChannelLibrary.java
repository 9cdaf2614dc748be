// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse.channel;

import jnr.ffi.LastError;
import jnr.ffi.LibraryLoader;
import jnr.ffi.Runtime;

/**
 * The system calls between a worker and the kernel. Memory is given by address, so that nothing is
 * copied or allocated on the way.
 */
final class ChannelLibrary {
  static final Calls CALLS = LibraryLoader.create(Calls.class).load(LibraryLoader.DEFAULT_LIBRARY);

  private static final Runtime RUNTIME = Runtime.getRuntime(CALLS);

  static final int O_RDWR = 2;
  static final int O_NONBLOCK = 0x800;
  static final int O_CLOEXEC = 0x80000;

  static final int F_GETFL = 3;
  static final int F_SETFL = 4;

  static final short POLLIN = 1;

  private ChannelLibrary() {}

  /** Returns the error number of this thread's last call that failed. */
  static int errno() {
    return LastError.getLastError(RUNTIME);
  }

  /** The calls by their own names; public because jnr-ffi implements it elsewhere. */
  public interface Calls {
    int open(long name, int flags);

    int close(int descriptor);

    long read(int descriptor, long address, long count);

    long write(int descriptor, long address, long count);

    int madvise(long address, long length, int advice);

    int poll(long address, long count, int timeoutMillis);

    int fcntl(int descriptor, int command, long argument);

    int ioctl(int descriptor, long request, long argument);

    int prctl(int option, long argument, long zero3, long zero4, long zero5);
  }
}
