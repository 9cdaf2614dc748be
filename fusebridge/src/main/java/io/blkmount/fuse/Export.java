// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse;

import io.blkmount.block.backend.BlockBackend;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * One disk as a regular file: what the operations of a file mean for it.
 *
 * <p>Any number of threads may call at once. Buffers are used from position to limit; a buffer that
 * reaches past the end of the disk has its limit moved back, and the count returned says so.
 */
public abstract sealed class Export permits FixedExport, ResizableExport {
  private final BlockBackend disk;

  Export(BlockBackend disk) {
    this.disk = disk;
  }

  /** Returns the file of a disk, with the size rules that the disk was opened with. */
  static Export of(BlockBackend disk) {
    return disk.resizable() ? new ResizableExport(disk) : new FixedExport(disk);
  }

  /** Returns the disk behind the file. */
  public final BlockBackend disk() {
    return disk;
  }

  /**
   * Prepares an open(2), which a handle follows if it succeeds.
   *
   * @param flags as open(2) has them
   * @throws IOException with {@code READ_ONLY} for any kind of write access to a read-only disk, or
   *     the failure of O_TRUNC
   */
  final void open(int flags) throws IOException {
    if (OpenFlags.writes(flags) || OpenFlags.truncates(flags)) {
      requireWritable();
    }
    if (OpenFlags.truncates(flags)) {
      truncateAtOpen();
    }
  }

  /**
   * Reads.
   *
   * @param offset in bytes
   * @param target filled from position to limit as far as the disk goes
   * @return how many bytes were filled; 0 at and past the end
   * @throws IOException if the bytes cannot be read
   */
  public int read(long offset, ByteBuffer target) throws IOException {
    int count = clamp(offset, target);
    if (count > 0) {
      disk.read(offset, target);
    }
    return count;
  }

  /**
   * Writes.
   *
   * @param offset in bytes
   * @param source written from position to limit
   * @return how many bytes were taken; fewer than asked if the disk ends before
   * @throws IOException if nothing was taken: {@code TOO_BIG} at and past a fixed end
   */
  public abstract int write(long offset, ByteBuffer source) throws IOException;

  /**
   * Does what truncate(2) and ftruncate(2) ask for.
   *
   * @param length in bytes
   * @throws IOException with {@code NOT_PERMITTED} for another length than that of a fixed disk
   */
  public abstract void setLength(long length) throws IOException;

  /**
   * Does what fallocate(2) asks for.
   *
   * @param mode a combination of {@link AllocationMode}'s bits
   * @param offset in bytes
   * @param length in bytes
   * @throws IOException with {@code NOT_SUPPORTED} for other modes than zeroing, punching and
   *     reserving, and the failures of those
   */
  public final void allocate(int mode, long offset, long length) throws IOException {
    AllocationMode.requireSupported(mode);
    requireWritable();
    if (offset < 0 || length <= 0 || offset + length < 0) {
      throw new BlockException(
          BlockError.INVALID, "bad range to allocate: offset=" + offset + " length=" + length);
    }
    if (AllocationMode.zeroes(mode)) {
      zero(mode, offset, length);
    } else {
      reserve(mode, offset, length);
    }
  }

  /**
   * Does what fsync(2) asks for.
   *
   * @throws IOException if anything written may be lost
   */
  public final void flush() throws IOException {
    disk.flush();
  }

  /**
   * Does what close(2) can still report: gives what is cached in this process to the host.
   *
   * @throws IOException if a write failed
   */
  public final void writeBack() throws IOException {
    disk.writeBack();
  }

  /**
   * Does what lseek(2) with SEEK_DATA asks for.
   *
   * @param offset where to begin, in bytes
   * @return the first byte from there on that may be other than zero
   * @throws IOException with {@code NO_SUCH_DEVICE_OR_ADDRESS} if there is none
   */
  public final long seekData(long offset) throws IOException {
    return HoleSeek.data(disk, offset);
  }

  /**
   * Does what lseek(2) with SEEK_HOLE asks for.
   *
   * @param offset where to begin, in bytes
   * @return the first byte from there on that is in a hole; the end of the disk is one
   * @throws IOException with {@code NO_SUCH_DEVICE_OR_ADDRESS} at and past the end
   */
  public final long seekHole(long offset) throws IOException {
    return HoleSeek.hole(disk, offset);
  }

  /**
   * Does what copy_file_range(2) asks for.
   *
   * @param offset in this file, in bytes
   * @param target where to copy to; may be this one
   * @param targetOffset in bytes
   * @param length in bytes
   * @param via direct memory to copy through
   * @return how many bytes were copied; may be fewer than asked
   * @throws IOException if nothing was copied because something failed
   */
  public final long copyTo(
      long offset, Export target, long targetOffset, long length, ByteBuffer via)
      throws IOException {
    return new RangeCopy(this, target, via).copy(offset, targetOffset, length);
  }

  /** Does what O_TRUNC asks for. */
  abstract void truncateAtOpen() throws IOException;

  /** Makes the disk reach to the end of a range, or throws {@code TOO_BIG}. */
  abstract void reach(long offset, long length) throws IOException;

  /** Zeroes inside the disk: PUNCH_HOLE and KEEP_SIZE leave the part past the end alone. */
  void zero(int mode, long offset, long length) throws IOException {
    if (!AllocationMode.keepsSize(mode)) {
      reach(offset, length);
    }
    long inside = Math.min(length, disk.length() - offset);
    if (inside > 0) {
      disk.writeZeroes(offset, inside, AllocationMode.mayUnmap(mode));
    }
  }

  /** Reserves; no format can hold space past its end, so that is refused rather than forgotten. */
  void reserve(int mode, long offset, long length) throws IOException {
    if (!AllocationMode.keepsSize(mode)) {
      reach(offset, length);
    } else if (offset + length > disk.length()) {
      throw pastEnd(BlockError.NO_SPACE, "reservation", offset, length);
    }
    disk.reserve(offset, length);
  }

  final void requireWritable() throws BlockException {
    if (!disk.writable()) {
      throw new BlockException(
          BlockError.READ_ONLY, "cannot change \"" + disk.imageName() + "\": read-only");
    }
  }

  /** Moves the limit back to the end of the disk; returns what remains, 0 at and past the end. */
  final int clamp(long offset, ByteBuffer buffer) throws IOException {
    long rest = Math.max(0, disk.length() - offset);
    if (buffer.remaining() > rest) {
      buffer.limit(buffer.position() + (int) rest);
    }
    return buffer.remaining();
  }

  final BlockException pastEnd(BlockError error, String what, long offset, long count)
      throws IOException {
    return new BlockException(
        error,
        String.format(
            "%s beyond end of \"%s\": offset=%d count=%d length=%d",
            what, disk.imageName(), offset, count, disk.length()));
  }
}
