// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.request;

import io.blkmount.block.bytes.Alignment;
import io.blkmount.block.bytes.Zeroes;
import io.blkmount.block.driver.DiscardMode;
import io.blkmount.block.driver.DriverInstance;
import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import java.io.IOException;

/**
 * Makes ranges read as zeros: the whole units of the driver's zero alignment by its {@code
 * writeZeroes}, what is left at both ends, and what the driver cannot, as written zeros. An end in
 * a unit that reads as zeros already is left alone: writing there would only take space.
 */
final class ZeroRequests {
  private final Layer layer;
  private final DriverInstance instance;
  private final PipelineOptions options;
  private final PaddedWriter writer;
  private final int unit;

  ZeroRequests(Layer layer, PipelineOptions options, PaddedWriter writer) {
    this.layer = layer;
    this.instance = layer.instance();
    this.options = options;
    this.writer = writer;
    this.unit = layer.limits().zeroAlignment();
  }

  /** Returns whether a driver call can be better than written zeros. */
  boolean isNative() {
    return instance.support().writeZeroes();
  }

  /**
   * Zeroes a range under a serialising request over its whole units that the caller holds.
   *
   * @param offset first byte, any alignment
   * @param end one past the last byte; past the disk's end only if it grows
   * @param flags {@code FUA} is the caller's business
   * @throws BlockException {@code NOT_SUPPORTED} with {@code NO_FALLBACK} if zeros must be written
   */
  void write(long offset, long end, WriteFlags flags) throws IOException {
    long oldLength = instance.length();
    long head = Math.min(end, Alignment.up(offset, unit));
    long tail = end == oldLength ? end : Math.max(head, Alignment.down(end, unit));
    if (flags.has(WriteFlags.NO_FALLBACK)) {
      writeNative(head, tail, flags); // first, so that its refusal finds nothing changed
      writePart(offset, head, flags);
    } else {
      writePart(offset, head, flags);
      writeNative(head, tail, flags);
    }
    writePart(tail, end, flags);
  }

  private void writePart(long offset, long end, WriteFlags flags) throws IOException {
    if (offset == end || isUnitZero(offset, end)) {
      return;
    }
    requireFallback(offset, end, flags);
    writeData(offset, end, flags);
  }

  private boolean isUnitZero(long offset, long end) throws IOException {
    long unitEnd = Math.min(Alignment.up(end, unit), instance.length());
    return end <= unitEnd && ChainReader.readsAsZero(layer, Alignment.down(offset, unit), unitEnd);
  }

  private void writeNative(long offset, long end, WriteFlags flags) throws IOException {
    WriteFlags known = nativeFlags(flags);
    long longest = Math.max(unit, Alignment.down(layer.limits().maxZeroes(), unit));
    long position = offset;
    while (position < end) {
      long count = Math.min(end - position, longest);
      if (!tryNative(position, count, known)) {
        requireFallback(position, end, flags);
        writeData(position, position + count, flags);
      }
      position += count;
    }
  }

  private WriteFlags nativeFlags(WriteFlags flags) {
    WriteFlags known = flags.without(WriteFlags.FUA).only(instance.support().zeroFlags());
    return options.discard() == DiscardMode.IGNORE ? known.without(WriteFlags.MAY_UNMAP) : known;
  }

  private boolean tryNative(long offset, long count, WriteFlags flags) throws IOException {
    if (!isNative()) {
      return false;
    }
    try {
      instance.writeZeroes(offset, count, flags);
      return true;
    } catch (BlockException failure) {
      if (failure.error() == BlockError.NOT_SUPPORTED) {
        return false;
      }
      throw failure;
    }
  }

  private static void requireFallback(long offset, long end, WriteFlags flags)
      throws BlockException {
    if (flags.has(WriteFlags.NO_FALLBACK)) {
      String range = "offset=" + offset + " count=" + (end - offset);
      throw new BlockException(
          BlockError.NOT_SUPPORTED, "zeros would have to be written: " + range);
    }
  }

  private void writeData(long offset, long end, WriteFlags flags) throws IOException {
    long position = offset;
    while (position < end) {
      int count = (int) Math.min(end - position, Zeroes.MAX_BUFFER);
      writer.write(position, Zeroes.buffer(count), flags.without(WriteFlags.FUA));
      position += count;
    }
  }
}
