// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse;

import io.blkmount.block.driver.Extent;
import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * Copies between the files of a mount, as copy_file_range(2) asks: nothing goes to user space, and
 * what is a hole in the source becomes one in the target.
 */
final class RangeCopy {
  /** A call may copy less than asked; more at once would keep others waiting for their turn. */
  private static final long MOST = 16L << 20;

  private final Export source;
  private final Export target;
  private final ByteBuffer via;

  RangeCopy(Export source, Export target, ByteBuffer via) {
    this.source = source;
    this.target = target;
    this.via = via;
  }

  /** Returns how many bytes were copied: less than asked at an end, or when a later part failed. */
  long copy(long sourceOffset, long targetOffset, long length) throws IOException {
    long asked = Math.min(Math.min(length, MOST), source.disk().length() - sourceOffset);
    long copied = 0;
    while (copied < asked) {
      long piece = copyPiece(sourceOffset + copied, targetOffset + copied, asked - copied, copied);
      if (piece == 0) {
        return copied;
      }
      copied += piece;
    }
    return copied;
  }

  private long copyPiece(long from, long to, long most, long before) throws IOException {
    try {
      long hole = runAt(from, most, false);
      return hole > 0 && to + hole <= target.disk().length()
          ? punch(to, hole)
          : copyData(from, to, hole > 0 ? hole : runAt(from, Math.min(most, via.capacity()), true));
    } catch (IOException e) {
      if (before == 0) {
        throw e;
      }
      return 0; // what was copied is said; the caller asks for the rest and gets the failure
    }
  }

  /** Returns how far data, or a hole, reaches from an offset on; 0 if there is none. */
  private long runAt(long offset, long most, boolean data) throws IOException {
    long run = 0;
    while (run < most) {
      Extent extent = source.disk().extentAt(offset + run, most - run);
      if (HoleSeek.isData(extent) != data) {
        break;
      }
      run += extent.length();
    }
    return Math.min(most, run);
  }

  private long punch(long offset, long length) throws IOException {
    target.allocate(AllocationMode.PUNCH_HOLE | AllocationMode.KEEP_SIZE, offset, length);
    return length;
  }

  private long copyData(long from, long to, long most) throws IOException {
    via.clear().limit((int) Math.min(most, via.capacity()));
    int count = source.read(from, via);
    via.flip();
    return count == 0 ? 0 : target.write(to, via);
  }
}
