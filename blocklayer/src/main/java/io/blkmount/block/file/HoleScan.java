// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.file;

import io.blkmount.block.driver.Extent;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/**
 * Finds data and holes, and remembers the run that it found last: who copies a file asks for many
 * pieces of one long run. Says DATA where the file system cannot tell, which is always safe.
 */
final class HoleScan {
  private final PosixFile file;

  /** Goes up after every change of the file; a run found before is not believed after. */
  private final AtomicLong changes = new AtomicLong();

  private volatile @Nullable Run last;
  private volatile boolean unable;

  HoleScan(PosixFile file) {
    this.file = file;
  }

  /** A run of bytes of one kind, as it was after so many changes. */
  private record Run(boolean isData, long start, long end, long changes) {
    boolean holds(long offset) {
      return start <= offset && offset < end;
    }
  }

  /** Says that bytes or holes have changed; called before the change is answered. */
  void changed() {
    changes.incrementAndGet();
  }

  /**
   * Returns the run that begins at {@code offset}.
   *
   * @param offset in bytes
   * @param maxLength in bytes, at least 1
   */
  Extent extentAt(long offset, long maxLength) throws BlockException {
    Run run = last;
    if (run == null || run.changes != changes.get() || !run.holds(offset)) {
      run = scan(offset);
      last = run;
    }
    long length = Math.min(maxLength, run.end - offset);
    return run.isData ? Extent.data(offset, length, offset) : Extent.zero(offset, length);
  }

  private Run scan(long offset) throws BlockException {
    long before = changes.get();
    if (unable) {
      return new Run(true, offset, Long.MAX_VALUE, before);
    }
    try {
      return seek(offset, before);
    } catch (BlockException failure) {
      if (failure.error() != BlockError.INVALID && failure.error() != BlockError.NOT_SUPPORTED) {
        throw failure;
      }
      unable = true;
      return new Run(true, offset, Long.MAX_VALUE, before);
    }
  }

  private Run seek(long offset, long before) throws BlockException {
    long data = file.seek(offset, LibC.SEEK_DATA);
    if (data == PosixFile.NOTHING) {
      return new Run(false, offset, Long.MAX_VALUE, before);
    }
    if (data > offset) {
      return new Run(false, offset, data, before);
    }
    long hole = file.seek(offset, LibC.SEEK_HOLE);
    // The file may change between the two calls; then this answer is short-lived, but never wrong.
    return new Run(true, offset, hole > offset ? hole : Long.MAX_VALUE, before);
  }
}
