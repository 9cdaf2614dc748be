// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.backend;

import io.blkmount.block.driver.Extent;
import io.blkmount.block.driver.Preallocation;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * One opened image chain as its user sees it: a disk of bytes.
 *
 * <p>Any number of threads may call at once; calls block. Ranges lie inside {@code [0, length())}.
 * After {@link #close} every call fails with {@code NO_MEDIUM}.
 */
public final class BlockBackend implements Closeable {
  BlockBackend() {}

  private static BlockException notYet() {
    return new BlockException(BlockError.NOT_SUPPORTED, "backend: not connected to a graph");
  }

  /** Returns the name that the image was opened by, for messages. */
  public String imageName() {
    return "";
  }

  /** Returns the name of the top image's format, such as {@code qcow2}. */
  public String format() {
    return "";
  }

  /** Returns the unit of allocation of the top image in bytes; 1 if it has none. */
  public int clusterSize() {
    return 1;
  }

  /** Returns whether writes are accepted. */
  public boolean writable() {
    return false;
  }

  /** Returns whether {@link #truncate} is. */
  public boolean resizable() {
    return false;
  }

  /**
   * Returns the length of the disk in bytes.
   *
   * @throws IOException if the host has to be asked and does not answer
   */
  public long length() throws IOException {
    throw notYet();
  }

  /**
   * Fills {@code target}.
   *
   * @param offset first byte, any alignment
   * @param target filled from position to limit; the range lies inside the disk
   * @throws IOException if the bytes cannot be read, or {@code INVALID} for a range outside
   */
  public void read(long offset, ByteBuffer target) throws IOException {
    throw notYet();
  }

  /**
   * Writes all of {@code source}; durable on return in the cache modes writethrough and directsync.
   *
   * @param offset first byte, any alignment
   * @param source written from position to limit; the range lies inside the disk
   * @throws IOException if the bytes cannot be written, {@code READ_ONLY}, or {@code TOO_BIG} for a
   *     range outside
   */
  public void write(long offset, ByteBuffer source) throws IOException {
    throw notYet();
  }

  /**
   * Makes a range read as zeros.
   *
   * @param offset first byte, any alignment
   * @param length in bytes; the range lies inside the disk
   * @param mayUnmap whether space may be given back
   * @throws IOException if the range cannot be zeroed
   */
  public void writeZeroes(long offset, long length, boolean mayUnmap) throws IOException {
    throw notYet();
  }

  /**
   * Says that a range is not needed any more: it reads as before or as zeros afterwards.
   *
   * @param offset first byte, any alignment
   * @param length in bytes; the range lies inside the disk
   * @throws IOException if the host failed
   */
  public void discard(long offset, long length) throws IOException {
    throw notYet();
  }

  /**
   * Makes sure that later writes to a range need no new space; no byte changes.
   *
   * @param offset first byte, any alignment
   * @param length in bytes; the range lies inside the disk
   * @throws IOException with {@code NO_SPACE} if there is not enough
   */
  public void reserve(long offset, long length) throws IOException {
    throw notYet();
  }

  /**
   * Returns what is known, looking down the whole chain, of the run that starts at {@code offset}.
   *
   * @param offset first byte, below {@link #length()}
   * @param maxLength in bytes, at least 1
   * @return DATA, COMPRESSED or ZERO with the depth of the layer that says so; UNALLOCATED when no
   *     layer holds it (it reads as zeros)
   * @throws IOException if metadata cannot be read
   */
  public Extent extentAt(long offset, long maxLength) throws IOException {
    throw notYet();
  }

  /**
   * Makes durable every write that had completed when the call began.
   *
   * @throws IOException if any of them may be lost
   */
  public void flush() throws IOException {
    throw notYet();
  }

  /**
   * Gives to the host what is only in this process, without waiting for the medium.
   *
   * @throws IOException if a write failed
   */
  public void writeBack() throws IOException {
    throw notYet();
  }

  /**
   * Changes the length of the disk.
   *
   * @param length new length in bytes
   * @param preallocation what to do with new space
   * @throws IOException with {@code NOT_PERMITTED} unless {@link #resizable}, with {@code
   *     NOT_SUPPORTED} if the format cannot
   */
  public void truncate(long length, Preallocation preallocation) throws IOException {
    throw notYet();
  }

  /**
   * Returns how many bytes of the host what the disk shows occupies, for {@code st_blocks}: at
   * least 4096 while any byte of it may be other than zero.
   *
   * @throws IOException if the host does not answer
   */
  public long allocatedBytes() throws IOException {
    throw notYet();
  }

  /**
   * Returns when the disk's bytes last changed, in nanoseconds since 1970: the modification time of
   * the top image at open, moved by writes through this handle and by nothing else.
   *
   * @throws IOException if the host does not answer
   */
  public long modifiedNanos() throws IOException {
    throw notYet();
  }

  /**
   * Stops taking requests, waits for those in flight, flushes and closes the chain from the top
   * down. A second call does nothing.
   *
   * @throws IOException if the last flush or a close failed; everything is closed all the same
   */
  @Override
  public void close() throws IOException {}
}
