// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse;

import jnr.ffi.LibraryLoader;
import jnr.ffi.Pointer;
import jnr.ffi.annotations.In;
import jnr.ffi.types.size_t;

/** The part of the C library that mounting needs; it is loaded on first use. */
final class HostLibrary {
  static final Calls CALLS = LibraryLoader.create(Calls.class).load("c");

  private HostLibrary() {}

  /** The calls by their own names; jnr-ffi implements them, and for that they have to be public. */
  public interface Calls {
    int statx(int directory, @In Pointer path, int flags, int mask, Pointer result);

    Pointer realpath(@In Pointer path, Pointer resolved);

    Pointer opendir(@In Pointer path);

    Pointer readdir(Pointer directory);

    int closedir(Pointer directory);

    int mount(
        @In Pointer source, @In Pointer target, @In Pointer type, @size_t long flags, Pointer data);

    int open(@In Pointer path, int flags);

    int close(int descriptor);

    int umount2(@In Pointer target, int flags);

    int getuid();

    int getgid();

    int geteuid();

    Pointer strerror(int errno);

    void free(Pointer memory);
  }
}
