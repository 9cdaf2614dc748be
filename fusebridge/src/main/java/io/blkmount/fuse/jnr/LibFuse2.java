// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse.jnr;

import jnr.ffi.LibraryLoader;
import jnr.ffi.Pointer;
import jnr.ffi.types.size_t;

/** The part of libfuse 2 that is not behind jnr-fuse; it is loaded on first use. */
final class LibFuse2 {
  static final Calls CALLS =
      LibraryLoader.create(Calls.class).library("libfuse.so.2").library("c").load();

  private LibFuse2() {}

  /**
   * What comes before and after libfuse's loop, and one step of it; jnr-fuse binds only the call
   * that does all of it. All of these have one version, or the newest is the one that a look up by
   * name finds ({@code fuse_new} is not among them for that reason). Public for jnr-ffi, which
   * implements it.
   */
  public interface Calls {
    Pointer fuse_setup(
        int argumentCount,
        Pointer arguments,
        Pointer operations,
        @size_t long operationsSize,
        Pointer mountPointResult,
        Pointer multithreadedResult,
        Pointer userData);

    Pointer fuse_get_session(Pointer fuse);

    void fuse_remove_signal_handlers(Pointer session);

    Pointer fuse_session_next_chan(Pointer session, Pointer channel);

    int fuse_chan_fd(Pointer channel);

    @size_t
    long fuse_chan_bufsize(Pointer channel);

    void fuse_session_process(
        Pointer session, Pointer request, @size_t long length, Pointer channel);

    void fuse_chan_destroy(Pointer channel);

    void fuse_destroy(Pointer fuse);

    int prctl(int option, long argument, long zero3, long zero4, long zero5);

    long read(int descriptor, Pointer buffer, @size_t long count);

    void free(Pointer memory);
  }
}
