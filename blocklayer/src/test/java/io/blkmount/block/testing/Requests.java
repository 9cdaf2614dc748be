// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.testing;

import io.blkmount.block.bytes.Alignment;
import io.blkmount.block.driver.BlockLimits;
import io.blkmount.block.driver.Support;
import io.blkmount.block.driver.WriteFlags;

/** The rules that callers of a {@code DriverInstance} keep; a breach is an AssertionError. */
final class Requests {
  private final BlockLimits limits;
  private final Support support;

  Requests(BlockLimits limits, Support support) {
    this.limits = limits;
    this.support = support;
  }

  void checkRead(long offset, long count, long length) {
    checkTransfer("read", offset, count);
    check("read", offset, count, offset + count <= readableEnd(length), "beyond end " + length);
  }

  /** A file whose length is no multiple of the alignment is read to the end of its last block. */
  private long readableEnd(long length) {
    return Alignment.up(length, limits.requestAlignment());
  }

  void checkWrite(long offset, long count, WriteFlags flags, long length) {
    checkTransfer("write", offset, count);
    checkWritable("write", offset, count, length);
    checkFlags("write", offset, count, flags, support.writeFlags());
  }

  void checkZeroes(long offset, long count, WriteFlags flags, long length) {
    checkWritable("writeZeroes", offset, count, length);
    checkRange("writeZeroes", offset, count, limits.zeroAlignment(), length);
    check("writeZeroes", offset, count, count <= limits.maxZeroes(), "above maxZeroes");
    checkFlags("writeZeroes", offset, count, flags, support.zeroFlags());
  }

  void checkDiscard(long offset, long count, long length) {
    check("discard", offset, count, support.writable(), "not writable");
    check("discard", offset, count, offset + count <= length, "beyond end " + length);
    checkRange("discard", offset, count, limits.discardAlignment(), length);
    check("discard", offset, count, count <= limits.maxDiscard(), "above maxDiscard");
  }

  void checkExtent(long offset, long maxLength, long length) {
    check("extentAt", offset, maxLength, offset >= 0 && offset < length, "beyond end " + length);
    check("extentAt", offset, maxLength, maxLength >= 1, "maxLength below 1");
  }

  private void checkTransfer(String verb, long offset, long count) {
    int alignment = limits.requestAlignment();
    check(verb, offset, count, offset >= 0, "negative offset");
    check(verb, offset, count, Alignment.isAligned(offset, alignment), "offset unaligned");
    check(verb, offset, count, Alignment.isAligned(count, alignment), "length unaligned");
    check(verb, offset, count, count <= limits.maxTransfer(), "above maxTransfer");
  }

  private void checkRange(String verb, long offset, long count, int alignment, long length) {
    boolean toEnd = offset + count == length;
    check(verb, offset, count, offset >= 0 && count >= 0, "negative");
    check(verb, offset, count, Alignment.isAligned(offset, alignment), "offset unaligned");
    check(verb, offset, count, toEnd || Alignment.isAligned(count, alignment), "length unaligned");
  }

  private void checkWritable(String verb, long offset, long count, long length) {
    check(verb, offset, count, support.writable(), "not writable");
    boolean inside = support.growable() || offset + count <= length;
    check(verb, offset, count, inside, "beyond end " + length);
  }

  private static void checkFlags(
      String verb, long offset, long count, WriteFlags flags, WriteFlags allowed) {
    check(verb, offset, count, allowed.has(flags), "flags " + flags + " not in " + allowed);
  }

  private static void check(String verb, long offset, long count, boolean ok, String problem) {
    if (!ok) {
      throw new AssertionError(
          "caller broke the contract: "
              + (verb + " offset=" + offset + " length=" + count + ": " + problem));
    }
  }
}
