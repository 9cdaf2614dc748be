// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse.channel;

import io.blkmount.fuse.ExportTree;

/**
 * The files that are open: how the kernel treats them, which the answer to the opening says.
 *
 * <pre>
 *   fuse_open_out   0  8 handle    8  4 flags    12  4 backing id
 * </pre>
 */
final class OpenFiles {
  private static final int BODY = 16;

  /** No flush request at close: there is nothing that one could give to the host. */
  private static final int NO_FLUSH = 1 << 5;

  /** The kernel reads and writes the file behind by itself. */
  private static final int PASSTHROUGH = 1 << 7;

  private final KernelFiles kernelFiles;
  private final CacheModes cacheModes = new CacheModes();

  OpenFiles(KernelFiles kernelFiles) {
    this.kernelFiles = kernelFiles;
  }

  /** Answers the opening of a file; returns whether somebody was still waiting for it. */
  boolean answer(FuseReply reply, ExportTree.Entry entry, long handle, OpenFlags flags) {
    int backing = kernelFiles.opened(entry);
    int treatment = backing == KernelFiles.NONE ? treatment(entry, flags) : PASSTHROUGH | NO_FLUSH;
    return reply.putLong(0, handle).putInt(8, treatment).putInt(12, backing).data(BODY);
  }

  private int treatment(ExportTree.Entry entry, OpenFlags flags) {
    int cache = cacheModes.opened(entry.inode(), flags);
    return flags.writes() ? cache : cache | NO_FLUSH;
  }

  /** Takes note that a file was closed, once for each opening. */
  void closed(ExportTree.Entry entry) {
    if (!kernelFiles.closed(entry)) {
      cacheModes.closed(entry.inode());
    }
  }

  /** Answers the opening of the directory, which needs no handle. */
  static void answerDirectory(FuseReply reply) {
    reply.clear(BODY).data(BODY);
  }
}
