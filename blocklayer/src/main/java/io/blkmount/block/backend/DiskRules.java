// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.backend;

import io.blkmount.block.bytes.HostName;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import io.blkmount.block.request.RequestPipeline;
import java.io.IOException;

/** Says what the user of a disk may ask of it, before any of it is done. */
final class DiskRules {
  private final RequestPipeline top;
  private final BackendOptions options;

  DiskRules(RequestPipeline top, BackendOptions options) {
    this.top = top;
    this.options = options;
  }

  boolean isWritable() {
    return top.support().writable();
  }

  boolean isResizable() {
    return options.resizable() && isWritable();
  }

  /** Fails with {@code error} unless a range lies inside the disk. */
  void requireInside(long offset, long count, BlockError error) throws IOException {
    long length = top.length();
    if (offset < 0 || count < 0 || offset > length - count) {
      throw new BlockException(
          error,
          "request beyond end of disk: offset=" + offset + " count=" + count + " length=" + length);
    }
  }

  void requireWritable() throws BlockException {
    if (!isWritable()) {
      throw new BlockException(BlockError.READ_ONLY, quotedName() + " is read-only");
    }
  }

  void requireResizable() throws BlockException {
    if (!isResizable()) {
      throw new BlockException(
          BlockError.NOT_PERMITTED, "the size of " + quotedName() + " is fixed");
    }
  }

  /**
   * Fails while the kernel has the image file.
   *
   * @param operation that has to see all writes, such as {@code mirror}
   */
  void requireWritesSeen(String operation) throws BlockException {
    if (options.lending().isLent()) {
      throw new BlockException(
          BlockError.BUSY,
          "cannot "
              + operation
              + " "
              + quotedName()
              + ": the kernel writes the file by itself while it is open (--passthrough off)");
    }
  }

  private String quotedName() {
    return '"' + HostName.printable(options.imageName()) + '"';
  }
}
