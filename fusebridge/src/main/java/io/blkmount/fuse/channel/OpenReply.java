// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse.channel;

import jnr.ffi.Platform;

/**
 * How the kernel treats a file once it is open.
 *
 * <pre>
 *   fuse_open_out   0  8 handle    8  4 flags    12  4 backing id
 * </pre>
 */
final class OpenReply {
  private static final int BODY = 16;

  /** Requests go past the page cache. */
  private static final int DIRECT_IO = 1;

  /** Pages from an earlier opening are still right: every change of the disk comes this way. */
  private static final int KEEP_CACHE = 1 << 1;

  /** No flush request at close: nothing was written. */
  private static final int NO_FLUSH = 1 << 5;

  /** Writes that do not change the size do not wait for each other. */
  private static final int PARALLEL_DIRECT_WRITES = 1 << 6;

  /** The kernel reads and writes the file behind by itself. */
  private static final int PASSTHROUGH = 1 << 7;

  private static final int ACCESS_MODE = 3;

  /** O_DIRECT, which is not the same number on all processors. */
  private static final int DIRECT =
      switch (Platform.getNativePlatform().getCPU()) {
        case AARCH64, ARM -> 0x10000;
        case PPC64, PPC64LE -> 0x20000;
        default -> 0x4000;
      };

  private OpenReply() {}

  /**
   * Answers an open.
   *
   * @param flags of open(2): with O_DIRECT the kernel hands requests on as they are, side by side;
   *     without, it caches
   * @param backing the kernel's number for the file that it reads and writes by itself, or {@link
   *     KernelFiles#NONE}; all openings of a file have to agree on it
   * @return whether somebody was still waiting for the answer
   */
  static boolean answer(FuseReply reply, long handle, int flags, int backing) {
    int treatment = backing == KernelFiles.NONE ? treatment(flags) : PASSTHROUGH | NO_FLUSH;
    return reply.putLong(0, handle).putInt(8, treatment).putInt(12, backing).data(BODY);
  }

  private static int treatment(int flags) {
    int cache = (flags & DIRECT) != 0 ? DIRECT_IO | PARALLEL_DIRECT_WRITES : KEEP_CACHE;
    return (flags & ACCESS_MODE) == 0 ? cache | NO_FLUSH : cache;
  }

  /** Answers the opening of the directory, which needs no handle. */
  static void answerDirectory(FuseReply reply) {
    reply.clear(BODY).data(BODY);
  }
}
