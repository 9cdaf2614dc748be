// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse.channel;

import jnr.ffi.Memory;
import jnr.ffi.Pointer;
import jnr.ffi.Runtime;

/**
 * Memory for one call of recvmsg(2), which takes in bytes and at most one descriptor.
 *
 * <pre>
 *    0  struct msghdr
 *         0  8  address of the sender
 *         8  8  its length
 *        16  8  address of the pieces
 *        24  8  how many they are
 *        32  8  address of what comes beside the bytes
 *        40  8  its length
 *        48  8  flags
 *   56  struct iovec, the only piece
 *         0  8  address of the bytes
 *         8  8  room for them
 *   72  struct cmsghdr
 *         0  8  length, with the header
 *         8  4  level
 *        12  4  type
 *        16  4  the descriptor
 *   96  the bytes
 * </pre>
 */
final class DescriptorMessage {
  private static final int PIECE = 56;
  private static final int CONTROL = 72;
  private static final int BYTES = 96;
  private static final int ROOM = 4096;

  private static final int PIECES_ADDRESS = 16;
  private static final int PIECE_COUNT = 24;
  private static final int CONTROL_ADDRESS = 32;
  private static final int CONTROL_LENGTH = 40;

  /** The length of a control message with one descriptor. */
  private static final int WITH_DESCRIPTOR = 20;

  private static final int SOL_SOCKET = 1;
  private static final int SCM_RIGHTS = 1;

  private final Pointer memory;

  DescriptorMessage(Runtime runtime) {
    memory = Memory.allocateDirect(runtime, BYTES + ROOM, true);
    memory.putLongLong(PIECES_ADDRESS, memory.address() + PIECE);
    memory.putLongLong(PIECE_COUNT, 1);
    memory.putLongLong(CONTROL_ADDRESS, memory.address() + CONTROL);
    memory.putLongLong(CONTROL_LENGTH, BYTES - CONTROL);
    memory.putLongLong(PIECE, memory.address() + BYTES);
    memory.putLongLong(PIECE + 8, ROOM);
  }

  Pointer memory() {
    return memory;
  }

  /** Returns whether a descriptor came with the bytes; if so it is the receiver's to close. */
  boolean hasDescriptor() {
    return memory.getLongLong(CONTROL_LENGTH) >= WITH_DESCRIPTOR
        && memory.getLongLong(CONTROL) >= WITH_DESCRIPTOR
        && memory.getInt(CONTROL + 8) == SOL_SOCKET
        && memory.getInt(CONTROL + 12) == SCM_RIGHTS;
  }

  int descriptor() {
    return memory.getInt(CONTROL + 16);
  }

  /** Returns a copy of the first bytes that came. */
  byte[] bytes(int length) {
    byte[] bytes = new byte[length];
    memory.get(BYTES, bytes, 0, length);
    return bytes;
  }
}
