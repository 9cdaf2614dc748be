// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse.channel;

import io.blkmount.block.bytes.HostName;
import java.nio.ByteBuffer;

/**
 * A request, read where the kernel put it.
 *
 * <pre>
 *   fuse_in_header   0  4 length    4  4 opcode    8  8 unique   16  8 inode
 *                   24  4 uid      28  4 gid      32  4 pid
 *   then, from 40:
 *   lookup           0  name, ends with 0
 *   getattr          0  4 flags     8  8 handle
 *   setattr          0  4 valid     8  8 handle   16  8 size
 *   open             0  4 flags
 *   read, readdir    0  8 handle    8  8 offset   16  4 size
 *   write            0  8 handle    8  8 offset   16  4 size     32  4 flags   40  data
 *   release, flush, fsync   0  8 handle
 *   fallocate        0  8 handle    8  8 offset   16  8 length   24  4 mode
 *   lseek            0  8 handle    8  8 offset   16  4 whence
 *   copy_file_range  0  8 handle    8  8 offset   16  8 target inode
 *                   24  8 target handle           32  8 target offset    40  8 length
 *   init             0  4 major     4  4 minor     8  4 max_readahead
 *                   12  4 flags    16  4 flags2
 * </pre>
 */
final class FuseRequest {
  private static final int OPCODE = RequestMemory.REQUEST + 4;
  private static final int UNIQUE = RequestMemory.REQUEST + 8;
  private static final int INODE = RequestMemory.REQUEST + 16;
  private static final int ARGUMENTS = RequestMemory.REQUEST + 40;

  /** FATTR_SIZE and FATTR_FH, FATTR_MODE and so on: what a setattr changes. */
  private static final int VALID_SIZE = 1 << 3;

  private static final int VALID_HANDLE = 1 << 6;
  private static final int VALID_MODE_AND_OWNERS = 1 | 2 | 4;
  private static final int VALID_TIMES = 1 << 4 | 1 << 5 | 1 << 7 | 1 << 8;

  /** FUSE_GETATTR_FH. */
  private static final int GETATTR_BY_HANDLE = 1;

  /** Also set for O_SYNC, and for a single write with RWF_DSYNC. */
  private static final int O_DSYNC = 0x1000;

  private final ByteBuffer bytes;

  FuseRequest(RequestMemory memory) {
    this.bytes = memory.bytes();
  }

  int opcode() {
    return bytes.getInt(OPCODE);
  }

  long unique() {
    return bytes.getLong(UNIQUE);
  }

  long inode() {
    return bytes.getLong(INODE);
  }

  /** Returns the handle of a request that begins with one. */
  long handle() {
    return argument(0);
  }

  /** Returns the offset of a request on a handle, in bytes. */
  long offset() {
    return argument(8);
  }

  /** Returns how many bytes are read, written or listed at most. */
  int size() {
    return bytes.getInt(ARGUMENTS + 16);
  }

  /** Returns whether a write has to be durable before it is answered. */
  boolean writesDurably() {
    return (bytes.getInt(ARGUMENTS + 32) & O_DSYNC) != 0;
  }

  int openFlags() {
    return bytes.getInt(ARGUMENTS);
  }

  long allocationLength() {
    return argument(16);
  }

  int allocationMode() {
    return bytes.getInt(ARGUMENTS + 24);
  }

  int whence() {
    return bytes.getInt(ARGUMENTS + 16);
  }

  long targetHandle() {
    return argument(24);
  }

  long targetOffset() {
    return argument(32);
  }

  long copyLength() {
    return argument(40);
  }

  boolean asksAttributesOfHandle() {
    return (bytes.getInt(ARGUMENTS) & GETATTR_BY_HANDLE) != 0;
  }

  boolean changesSize() {
    return valid(VALID_SIZE);
  }

  boolean changesModeOrOwner() {
    return valid(VALID_MODE_AND_OWNERS);
  }

  boolean changesTimes() {
    return valid(VALID_TIMES);
  }

  boolean changesByHandle() {
    return valid(VALID_HANDLE);
  }

  private boolean valid(int bits) {
    return (bytes.getInt(ARGUMENTS) & bits) != 0;
  }

  /** Returns the handle of a getattr or setattr that goes by one. */
  long attributeHandle() {
    return argument(8);
  }

  long newSize() {
    return argument(16);
  }

  /** Returns the name that a lookup asks for, byte for byte. */
  String name() {
    int end = ARGUMENTS;
    while (bytes.get(end) != 0) {
      end++;
    }
    byte[] name = new byte[end - ARGUMENTS];
    bytes.get(ARGUMENTS, name);
    return HostName.decode(name);
  }

  /** Returns the minor version of the protocol that the kernel speaks. */
  int protocolMinor() {
    return bytes.getInt(ARGUMENTS + 4);
  }

  int protocolMajor() {
    return bytes.getInt(ARGUMENTS);
  }

  /** Returns what the kernel can do, as bits; those from 32 up are in a word of their own. */
  long features() {
    long low = Integer.toUnsignedLong(bytes.getInt(ARGUMENTS + 12));
    boolean extended = (low & InitHandshake.INIT_EXT) != 0;
    return extended ? low | (long) bytes.getInt(ARGUMENTS + 16) << Integer.SIZE : low;
  }

  private long argument(int offset) {
    return bytes.getLong(ARGUMENTS + offset);
  }
}
