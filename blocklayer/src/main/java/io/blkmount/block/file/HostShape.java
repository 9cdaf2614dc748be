// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.file;

import io.blkmount.block.driver.BlockLimits;
import io.blkmount.block.driver.HostStored.FileKey;
import io.blkmount.block.driver.Support;
import io.blkmount.block.driver.WriteFlags;
import org.jspecify.annotations.Nullable;

/**
 * What is found out about a host file when it is opened.
 *
 * @param key which file it is
 * @param length in bytes
 * @param writable whether it was opened for writing
 * @param deviceBlock smallest block of a block device in bytes; 0 for a regular file
 * @param direct alignment of O_DIRECT, or null if the page cache is used
 */
record HostShape(
    FileKey key, long length, boolean writable, int deviceBlock, @Nullable DirectAlignment direct) {
  private static final WriteFlags ZERO_FLAGS =
      WriteFlags.MAY_UNMAP.with(WriteFlags.NO_FALLBACK).with(WriteFlags.UNCHANGED);

  /** Returns whether it is a block device. */
  boolean isDevice() {
    return deviceBlock != 0;
  }

  /** Returns whether a write past the end makes it longer. */
  boolean isGrowable() {
    return writable && !isDevice();
  }

  /** Returns what requests are split and padded to. */
  BlockLimits limits() {
    int request = direct == null ? 1 : direct.request();
    int memory = direct == null ? 1 : direct.memory();
    // The page cache takes any byte of a device, but zeroing and discarding are in its blocks.
    int space = Math.max(request, deviceBlock);
    return new BlockLimits(
        request,
        memory,
        BlockLimits.DEFAULT_MAX_TRANSFER,
        space,
        Long.MAX_VALUE,
        space,
        Long.MAX_VALUE,
        1);
  }

  /** Returns what the instance can do. */
  Support support() {
    return new Support(
        writable, isGrowable(), WriteFlags.UNCHANGED, ZERO_FLAGS, writable, writable, !isDevice());
  }
}
