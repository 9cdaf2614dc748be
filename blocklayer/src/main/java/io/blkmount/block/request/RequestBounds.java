// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.request;

import io.blkmount.block.bytes.Alignment;
import io.blkmount.block.driver.DriverInstance;
import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import java.io.IOException;

/** The preconditions of every request, checked here once so that no driver has to. */
final class RequestBounds {
  /**
   * Largest end of a request: what can still be rounded up to any alignment without an overflow.
   */
  static final long MAX_END = Long.MAX_VALUE & -(1L << 31);

  private final DriverInstance instance;
  private final PipelineOptions options;

  RequestBounds(DriverInstance instance, PipelineOptions options) {
    this.instance = instance;
    this.options = options;
  }

  /**
   * Returns the end of a range, whatever the length of the disk.
   *
   * @throws BlockException {@code INVALID} for negative numbers, {@code TOO_BIG} past any disk
   */
  long endOf(long offset, long count) throws BlockException {
    if (offset < 0 || count < 0) {
      throw new BlockException(
          BlockError.INVALID, "negative request: offset=" + offset + " count=" + count);
    }
    if (offset > MAX_END || count > MAX_END - offset) {
      throw new BlockException(
          BlockError.TOO_BIG, "request beyond any disk: offset=" + offset + " count=" + count);
    }
    return offset + count;
  }

  /**
   * Fails if the node is read-only, for good or because its driver turned it so.
   *
   * @throws BlockException {@code READ_ONLY}
   */
  void requireWritable() throws BlockException {
    if (!isWritable()) {
      throw new BlockException(
          BlockError.READ_ONLY, "node \"" + options.nodeName() + "\" is read-only");
    }
  }

  /**
   * Fails unless a range is what can be stored compressed: whole clusters, the last one as long as
   * the disk goes.
   *
   * @throws BlockException {@code NOT_SUPPORTED} or {@code INVALID}
   */
  void requireCompressible(long offset, long end) throws IOException {
    if (!instance.support().writeFlags().has(WriteFlags.COMPRESSED)) {
      throw new BlockException(
          BlockError.NOT_SUPPORTED,
          "node \"" + options.nodeName() + "\" does not store data compressed");
    }
    int clusterSize = instance.limits().clusterSize();
    boolean endFits = Alignment.isAligned(end, clusterSize) || end == instance.length();
    if (!Alignment.isAligned(offset, clusterSize) || !endFits) {
      throw new BlockException(
          BlockError.INVALID,
          "compressed write of parts of clusters: offset="
              + offset
              + " count="
              + (end - offset)
              + " cluster_size="
              + clusterSize);
    }
  }

  /**
   * Fails if no space can be promised, since every write takes new space.
   *
   * @throws BlockException {@code NOT_SUPPORTED}
   */
  void requireReservable() throws BlockException {
    if (options.compress()) {
      throw new BlockException(
          BlockError.NOT_SUPPORTED,
          "node \"" + options.nodeName() + "\" compresses what is written: no space is reserved");
    }
  }

  /** Returns whether the node may be changed. */
  boolean isWritable() {
    return options.writable() && instance.support().writable();
  }

  /**
   * Fails if a change ends past the end of a disk that does not grow by being written. Asked while
   * the change is tracked, because only then the length stays.
   *
   * @throws BlockException {@code TOO_BIG}
   */
  void requireRoom(long offset, long end) throws IOException {
    if (!instance.support().growable()) {
      requireInside(offset, end);
    }
  }

  /**
   * Fails if a range ends past the end of the disk.
   *
   * @throws BlockException {@code TOO_BIG}
   */
  void requireInside(long offset, long end) throws IOException {
    long length = instance.length();
    if (end > length) {
      String range = "offset=" + offset + " count=" + (end - offset);
      throw new BlockException(
          BlockError.TOO_BIG, "request beyond end of disk: " + range + " length=" + length);
    }
  }

  /**
   * Returns how many bytes there are from {@code offset} to the end of the disk, at least 1.
   *
   * @throws BlockException {@code NO_SUCH_DEVICE_OR_ADDRESS} if there is none
   */
  long lengthFrom(long offset) throws IOException {
    long length = instance.length();
    if (offset < 0 || offset >= length) {
      throw new BlockException(
          BlockError.NO_SUCH_DEVICE_OR_ADDRESS,
          "no extent beyond end of disk: offset=" + offset + " length=" + length);
    }
    return length - offset;
  }
}
