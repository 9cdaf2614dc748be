// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse.channel;

import jnr.ffi.LibraryLoader;
import jnr.ffi.Pointer;
import jnr.ffi.annotations.In;

/** The part of the C library that only an ordinary user's mount needs; root never loads it. */
final class FusermountLibrary {
  static final Calls CALLS = LibraryLoader.create(Calls.class).load("c");

  private FusermountLibrary() {}

  /** The calls by their own names; jnr-ffi implements them, and for that they have to be public. */
  public interface Calls {
    int socketpair(int domain, int type, int protocol, Pointer descriptors);

    long recvmsg(int socket, Pointer message, int flags);

    int posix_spawn_file_actions_init(Pointer actions);

    int posix_spawn_file_actions_adddup2(Pointer actions, int descriptor, int newDescriptor);

    int posix_spawn_file_actions_destroy(Pointer actions);

    int posix_spawnp(
        Pointer pidResult,
        @In Pointer program,
        Pointer actions,
        Pointer attributes,
        Pointer arguments,
        Pointer environment);

    int waitpid(int pid, Pointer statusResult, int options);
  }
}
