// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse;

import java.io.IOException;

/**
 * Everything about a mount that a transport asks: the tree, its handles, how it shows, and where
 * failures go.
 *
 * @param tree what is shown
 * @param handles what is open
 * @param options how it is mounted
 * @param failures turns what a request throws into an errno
 * @param mountedNanos when it was mounted, in nanoseconds since 1970
 */
public record ServedTree(
    ExportTree tree,
    OpenExports handles,
    MountOptions options,
    RequestFailures failures,
    long mountedNanos) {
  private static final long NANOS_PER_MILLI = 1_000_000;

  /**
   * Returns a tree that nobody has opened yet, mounted now.
   *
   * @param tree what is shown
   * @param options how it is mounted
   */
  public static ServedTree of(ExportTree tree, MountOptions options) {
    long now = System.currentTimeMillis() * NANOS_PER_MILLI;
    return new ServedTree(tree, new OpenExports(), options, new RequestFailures(), now);
  }

  /**
   * Returns what stat(2) shows of an entry.
   *
   * @param entry of the tree, or of a handle
   * @throws IOException if the disk cannot say
   */
  public FileAttributes attributes(ExportTree.Entry entry) throws IOException {
    return FileAttributes.of(entry, options, mountedNanos);
  }
}
