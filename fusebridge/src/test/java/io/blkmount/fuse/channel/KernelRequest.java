// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse.channel;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;

/**
 * A request as the kernel lays it out. The numbers are those of {@code linux/fuse.h}, written down
 * once more rather than taken from the code that is tested.
 */
final class KernelRequest {
  static final int LOOKUP = 1;
  static final int FORGET = 2;
  static final int GETATTR = 3;
  static final int SETATTR = 4;
  static final int OPEN = 14;
  static final int READ = 15;
  static final int WRITE = 16;
  static final int STATFS = 17;
  static final int RELEASE = 18;
  static final int FSYNC = 20;
  static final int FLUSH = 25;
  static final int INIT = 26;
  static final int OPENDIR = 27;
  static final int READDIR = 28;
  static final int RELEASEDIR = 29;
  static final int FSYNCDIR = 30;
  static final int INTERRUPT = 36;
  static final int DESTROY = 38;
  static final int BATCH_FORGET = 42;
  static final int FALLOCATE = 43;
  static final int READDIRPLUS = 44;
  static final int LSEEK = 46;
  static final int COPY_FILE_RANGE = 47;

  /** sizeof(struct fuse_in_header). */
  private static final int HEADER = 40;

  private final int opcode;
  private final long inode;
  private final ByteBuffer arguments;

  private KernelRequest(int opcode, long inode, byte[] arguments) {
    this.opcode = opcode;
    this.inode = inode;
    this.arguments = ByteBuffer.wrap(arguments).order(ByteOrder.nativeOrder());
  }

  /** Returns a request with so many bytes of arguments, all 0 until they are put. */
  static KernelRequest of(int opcode, long inode, int length) {
    return new KernelRequest(opcode, inode, new byte[length]);
  }

  static KernelRequest named(int opcode, long inode, byte[] name) {
    return new KernelRequest(opcode, inode, Arrays.copyOf(name, name.length + 1));
  }

  /** struct fuse_getattr_in; {@code flags} is 1 to go by the handle. */
  static KernelRequest attributes(long inode, int flags, long handle) {
    return of(GETATTR, inode, 16).putInt(0, flags).putLong(8, handle);
  }

  /** struct fuse_setattr_in. */
  static KernelRequest change(long inode, int valid, long handle, long size) {
    return of(SETATTR, inode, 88).putInt(0, valid).putLong(8, handle).putLong(16, size);
  }

  /** struct fuse_open_in. */
  static KernelRequest open(long inode, int flags) {
    return of(OPEN, inode, 8).putInt(0, flags);
  }

  /** struct fuse_read_in, also for directories. */
  static KernelRequest read(int opcode, long inode, long handle, long offset, int size) {
    return of(opcode, inode, 40).putLong(0, handle).putLong(8, offset).putInt(16, size);
  }

  /** struct fuse_write_in, and the data. */
  static KernelRequest write(long inode, long handle, long offset, ByteBuffer data) {
    int size = data.remaining();
    KernelRequest request = of(WRITE, inode, 40 + size);
    request.putLong(0, handle).putLong(8, offset).putInt(16, size);
    request.arguments.put(40, data, data.position(), size);
    return request;
  }

  /** struct fuse_release_in, fuse_flush_in, fuse_fsync_in: the shortest of them is 16 bytes. */
  static KernelRequest ofHandle(int opcode, long inode, long handle) {
    return of(opcode, inode, opcode == FSYNC ? 16 : 24).putLong(0, handle);
  }

  /** struct fuse_fallocate_in. */
  static KernelRequest allocate(long inode, long handle, int mode, long offset, long length) {
    return of(FALLOCATE, inode, 32)
        .putLong(0, handle)
        .putLong(8, offset)
        .putLong(16, length)
        .putInt(24, mode);
  }

  /** struct fuse_lseek_in. */
  static KernelRequest seek(long inode, long handle, long offset, int whence) {
    return of(LSEEK, inode, 24).putLong(0, handle).putLong(8, offset).putInt(16, whence);
  }

  /** struct fuse_copy_file_range_in, without flags, as the kernel has none. */
  static KernelRequest copy(
      FakeKernel.Handle from, long offset, FakeKernel.Handle to, long targetOffset, long length) {
    return of(COPY_FILE_RANGE, from.inode(), 56)
        .putLong(0, from.number())
        .putLong(8, offset)
        .putLong(16, to.inode())
        .putLong(24, to.number())
        .putLong(32, targetOffset)
        .putLong(40, length);
  }

  KernelRequest putInt(int offset, int value) {
    arguments.putInt(offset, value);
    return this;
  }

  KernelRequest putLong(int offset, long value) {
    arguments.putLong(offset, value);
    return this;
  }

  /** Returns the bytes that a read of the device gives. */
  byte[] encode(long unique) {
    int length = HEADER + arguments.capacity();
    ByteBuffer bytes = ByteBuffer.allocate(length).order(ByteOrder.nativeOrder());
    bytes.putInt(0, length).putInt(4, opcode).putLong(8, unique).putLong(16, inode);
    bytes.putInt(24, 1000).putInt(28, 100).putInt(32, 4711); // of whom
    return bytes.put(HEADER, arguments.array()).array();
  }
}
