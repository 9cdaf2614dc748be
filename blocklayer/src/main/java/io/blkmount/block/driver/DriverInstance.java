// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.driver;

import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * One opened image or host file, as its format or protocol sees it. Only {@code RequestPipeline}
 * calls the data methods, and only so: aligned to {@code limits().requestAlignment()}, inside
 * {@code [0, length)} (a growable protocol node is also written past its end), no longer than
 * {@code maxTransfer}, with flags that {@link #support()} names. Any number of calls run at once.
 *
 * <p>Where the length is no multiple of the alignment, the last block is read and written whole: a
 * read fills what lies past the end with anything, a write that made a file longer by its padding
 * is followed by a {@code truncate}.
 */
public interface DriverInstance extends Closeable {
  /**
   * Returns the length of the disk or file in bytes; cheap.
   *
   * @throws IOException if the host has to be asked and does not answer
   */
  long length() throws IOException;

  /**
   * Fills {@code target}. What an image with a backing file does not hold itself reads as zeros
   * here; {@link #readLayer} is the call that tells.
   *
   * @param offset aligned
   * @param target aligned length; inside the disk
   * @throws IOException if the bytes cannot be read
   */
  void read(long offset, ByteBuffer target) throws IOException;

  /**
   * Reads the start of a range from this layer alone: the loop over a backing chain is the
   * caller's, so that a chain of 1,000 layers is no recursion of 1,000 calls.
   *
   * @param offset aligned
   * @param target at least one byte remaining; inside the disk
   * @return n &gt; 0 when the first n bytes were filled from this layer (position moved by n), n
   *     &lt; 0 when this layer does not hold the first -n bytes (position not moved); never 0, and
   *     whole blocks except at the end
   * @throws IOException if the bytes or the metadata cannot be read
   */
  default long readLayer(long offset, ByteBuffer target) throws IOException {
    int length = target.remaining();
    read(offset, target);
    return length;
  }

  /**
   * Returns how much from {@code offset} on this layer is known not to hold. Asked of every layer
   * of a chain that a read falls through, not only by the pipeline, and not counted as a request:
   * no byte is read.
   *
   * @param offset inside the disk; any alignment
   * @param maxLength at least 1; inside the disk
   * @return a length in bytes, at most {@code maxLength}; 0 if the layer holds the first byte, or
   *     if only {@link #readLayer} can tell
   * @throws IOException if the metadata cannot be read
   */
  default long absentLength(long offset, long maxLength) throws IOException {
    return 0;
  }

  /**
   * Writes all of {@code source}.
   *
   * @param offset aligned
   * @param source aligned length
   * @param flags a subset of {@code support().writeFlags()}
   * @throws IOException if the bytes cannot be written; nothing outside the range has changed
   */
  void write(long offset, ByteBuffer source, WriteFlags flags) throws IOException;

  /**
   * Makes a range read as zeros without a buffer of them; past the end of what is growable it
   * becomes longer. The driver does that itself: a caller who set the length afterwards would cut
   * off what others have appended meanwhile.
   *
   * @param offset aligned to {@code limits().zeroAlignment()}
   * @param length a multiple of it (or up to the end), at most {@code maxZeroes}
   * @param flags a subset of {@code support().zeroFlags()}
   * @throws IOException with {@code NOT_SUPPORTED} when the caller shall write zeros instead;
   *     nothing has changed then
   */
  void writeZeroes(long offset, long length, WriteFlags flags) throws IOException;

  /**
   * Gives space back where that is possible.
   *
   * @param offset aligned to {@code limits().discardAlignment()}
   * @param length a multiple of it (or up to the end), at most {@code maxDiscard}
   * @throws IOException with {@code NOT_SUPPORTED} when nothing was done
   */
  void discard(long offset, long length) throws IOException;

  /**
   * Makes sure that later writes to a range need no new space; no byte of the disk changes.
   *
   * @param offset any alignment
   * @param length in bytes; inside the disk, or past the end of what is growable
   * @throws IOException with {@code NOT_SUPPORTED} when the caller shall read and write back what
   *     is not stored here; {@code NO_SPACE} when there is not enough
   */
  default void reserve(long offset, long length) throws IOException {
    throw new BlockException(BlockError.NOT_SUPPORTED, "space cannot be reserved");
  }

  /**
   * Returns what this layer knows of the run at {@code offset}; it does not look at other nodes.
   *
   * @param offset below the length; any alignment
   * @param maxLength at least 1
   * @return a run of at least 1 byte that starts at {@code offset}
   * @throws IOException if the metadata cannot be read
   */
  Extent extentAt(long offset, long maxLength) throws IOException;

  /**
   * Makes durable, in this instance and the children it was handed (not the backing file), every
   * write that had completed when the call began.
   *
   * @throws IOException if any of them may be lost
   */
  void flush() throws IOException;

  /**
   * Writes what is only in memory to the host without waiting for the medium, so that a kill of the
   * process loses nothing. Called at close of a file handle and, in place of {@link #flush}, in
   * cache mode unsafe.
   *
   * @throws IOException if a write failed
   */
  default void writeBack() throws IOException {}

  /**
   * Returns how many bytes the host has allocated for this layer's file (st_blocks times 512).
   *
   * @throws IOException if the host has to be asked and does not answer
   */
  default long allocatedBytes() throws IOException {
    return length();
  }

  /** Returns the numbers that requests are split and padded to; constant while open. */
  BlockLimits limits();

  /** Returns what the instance can do; constant while open, except for a turn to read-only. */
  Support support();

  /**
   * Changes the length.
   *
   * @param length new length in bytes
   * @param preallocation what to do with new space
   * @throws IOException with {@code NOT_SUPPORTED} if the format cannot, {@code NO_SPACE} and so
   *     on; the old length holds then
   */
  void truncate(long length, Preallocation preallocation) throws IOException;

  /**
   * Forgets what was cached from the host, because somebody else may have changed it.
   *
   * @throws IOException if unwritten changes are in the way or the metadata is unreadable
   */
  void invalidate() throws IOException;

  /**
   * Writes everything, marks the image clean and lets go of it. No other call runs or follows. The
   * children are closed by the graph, not here.
   *
   * @throws IOException if something could not be written; the instance is closed all the same
   */
  @Override
  void close() throws IOException;
}
