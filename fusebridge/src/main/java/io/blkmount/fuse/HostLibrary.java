// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse;

import jnr.ffi.LibraryLoader;

/**
 * The part of the C library that mounting needs; it is bound on first use. Memory is given by
 * address and sizes are as on 64-bit hosts: what jnr-ffi would have to convert, it would have to
 * learn at each start how to. The JVM has the library loaded already: to look for its file takes
 * longer.
 */
final class HostLibrary {
  static final Calls CALLS = LibraryLoader.create(Calls.class).load(LibraryLoader.DEFAULT_LIBRARY);

  private HostLibrary() {}

  /** The calls by their own names; jnr-ffi implements them, and for that they have to be public. */
  public interface Calls {
    int statx(int directory, long path, int flags, int mask, long result);

    long realpath(long path, long resolved);

    long opendir(long path);

    long readdir(long directory);

    int closedir(long directory);

    int mount(long source, long target, long type, long flags, long data);

    int open(long path, int flags);

    int close(int descriptor);

    int umount2(long target, int flags);

    int getuid();

    int getgid();

    int geteuid();

    long strerror(int errno);

    void free(long memory);
  }
}
