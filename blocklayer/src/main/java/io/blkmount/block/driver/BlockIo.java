// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.driver;

import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * Byte-range I/O at any alignment: what callers, and drivers looking at their children, see.
 *
 * <p>Calls block and may come from any number of threads at once. Buffers are direct or heap;
 * position to limit is the request, and a call that returns normally has consumed all of it. When a
 * call throws, the content of the range (or of the target) is undefined, everything outside it is
 * as before, and the buffer's position is undefined.
 */
public interface BlockIo {
  /**
   * Returns the number of bytes.
   *
   * @throws IOException if the length has to be asked for and cannot be found
   */
  long length() throws IOException;

  /**
   * Reads; bytes past the end read as zeros.
   *
   * @param offset in bytes, not negative
   * @param target filled from position to limit
   * @throws IOException if the bytes cannot be read
   */
  void read(long offset, ByteBuffer target) throws IOException;

  /**
   * Writes. A write past the end grows a child that may be resized; elsewhere it fails with {@code
   * TOO_BIG} and changes nothing.
   *
   * @param offset in bytes, not negative
   * @param source written from position to limit
   * @param flags how; {@link WriteFlags#NONE} for a plain write
   * @throws IOException if the bytes cannot be written
   */
  void write(long offset, ByteBuffer source, WriteFlags flags) throws IOException;

  /**
   * Makes a range read as zeros.
   *
   * @param offset in bytes, not negative
   * @param length in bytes, not negative, not limited
   * @param flags {@code MAY_UNMAP} allows to give the space back; {@code NO_FALLBACK} wants {@code
   *     NOT_SUPPORTED} instead of written zeros
   * @throws IOException if the range cannot be zeroed
   */
  void writeZeroes(long offset, long length, WriteFlags flags) throws IOException;

  /**
   * Says that a range is not needed any more: it reads as before or as zeros afterwards.
   *
   * @param offset in bytes, not negative
   * @param length in bytes, not negative, not limited
   * @throws IOException if the request failed in the host; never because it is not supported
   */
  void discard(long offset, long length) throws IOException;

  /**
   * Returns what is known about the run of bytes that starts at {@code offset}, looking through the
   * whole chain below.
   *
   * @param offset in bytes, below {@link #length()}
   * @param maxLength in bytes, at least 1
   * @return a run of at least 1 byte that starts at {@code offset}, is of one kind and not longer
   *     than {@code maxLength}; it may be shorter than the run in the image
   * @throws IOException if the metadata cannot be read
   */
  Extent extentAt(long offset, long maxLength) throws IOException;

  /**
   * Makes durable every write that had completed when the call began.
   *
   * @throws IOException if any of them may be lost
   */
  void flush() throws IOException;
}
