// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse.channel;

/** What the kernel asks for, with the numbers of the FUSE protocol. */
final class Opcode {
  static final int LOOKUP = 1;
  static final int FORGET = 2;
  static final int GETATTR = 3;
  static final int SETATTR = 4;
  static final int SYMLINK = 6;
  static final int MKNOD = 8;
  static final int MKDIR = 9;
  static final int UNLINK = 10;
  static final int RMDIR = 11;
  static final int RENAME = 12;
  static final int LINK = 13;
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
  static final int CREATE = 35;
  static final int INTERRUPT = 36;
  static final int DESTROY = 38;
  static final int BATCH_FORGET = 42;
  static final int FALLOCATE = 43;
  static final int READDIRPLUS = 44;
  static final int RENAME2 = 45;
  static final int LSEEK = 46;
  static final int COPY_FILE_RANGE = 47;
  static final int TMPFILE = 51;

  private Opcode() {}

  /** Returns what a request is called in the log, as the system call that brings it about. */
  static String name(int opcode) {
    return switch (opcode) {
      case LOOKUP -> "lookup";
      case GETATTR -> "getattr";
      case SETATTR -> "truncate";
      case OPEN -> "open";
      case READ -> "read";
      case WRITE -> "write";
      case STATFS -> "statfs";
      case FSYNC -> "fsync";
      case FLUSH -> "close";
      case READDIR, READDIRPLUS -> "readdir";
      case FALLOCATE -> "fallocate";
      case LSEEK -> "lseek";
      case COPY_FILE_RANGE -> "copy_file_range";
      default -> "request " + opcode;
    };
  }

  /** Returns whether a request may take long whatever the image is like: others must not wait. */
  static boolean mayTakeLong(int opcode) {
    return switch (opcode) {
      case FSYNC, FLUSH, FALLOCATE, SETATTR, OPEN, LSEEK, COPY_FILE_RANGE -> true;
      default -> false;
    };
  }
}
