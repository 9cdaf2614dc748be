// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.file;

import io.blkmount.block.bytes.Zeroes;
import io.blkmount.block.driver.Preallocation;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import java.io.IOException;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.StampedLock;

/**
 * The length of a host file, kept so that nobody has to ask the host for it.
 *
 * <p>Who writes holds {@link #shared()}; who changes the length otherwise is alone. So the number
 * is exact whenever nobody writes, and a cut never takes what another writer has just appended.
 */
final class FileLength {
  private final PosixFile file;
  private final Transfer transfer;
  private final boolean isDevice;
  private final StampedLock lock = new StampedLock();
  private final AtomicLong length;

  /**
   * Starts with what was found at open.
   *
   * @param file whose length it is
   * @param transfer how it is written
   * @param shape what was found
   */
  FileLength(PosixFile file, Transfer transfer, HostShape shape) {
    this.file = file;
    this.transfer = transfer;
    this.isDevice = shape.isDevice();
    this.length = new AtomicLong(shape.length());
  }

  /** Returns the end of the furthest write that is done. */
  long get() {
    return length.get();
  }

  /** Returns the length that the host says: somebody else may write as well. */
  long now() throws BlockException {
    refresh();
    return length.get();
  }

  /** Begins a write; returns what {@link #endShared} wants. */
  long shared() {
    return lock.readLock();
  }

  /** Ends a write. */
  void endShared(long stamp) {
    lock.unlockRead(stamp);
  }

  /** Says that bytes before {@code end} were written; called while the lock is shared. */
  void wroteUpTo(long end) {
    if (end > length.get()) {
      length.accumulateAndGet(end, Math::max);
    }
  }

  /** Makes the file at least so long; new bytes are zeros. */
  void growTo(long end) throws BlockException {
    long stamp = lock.writeLock();
    try {
      if (end > length.get()) {
        file.truncate(end);
        length.set(end);
      }
    } finally {
      lock.unlockWrite(stamp);
    }
  }

  /**
   * Cuts off what a failed write past the end has left.
   *
   * @param failure of the write; gets what fails here
   */
  void undoGrowth(BlockException failure) {
    long stamp = lock.writeLock();
    try {
      if (file.status().length() > length.get()) {
        file.truncate(length.get());
      }
    } catch (BlockException second) {
      failure.addSuppressed(second);
    } finally {
      lock.unlockWrite(stamp);
    }
  }

  /**
   * Sets the length.
   *
   * @param target in bytes
   * @param preallocation what to do with new space
   * @throws IOException if that cannot be; the old length holds then
   */
  void set(long target, Preallocation preallocation) throws IOException {
    long stamp = lock.writeLock();
    try {
      if (isDevice) {
        requireSame(target);
      } else if (preallocation == Preallocation.OFF) {
        file.truncate(target);
      } else {
        preallocate(target, preallocation);
      }
      length.set(target);
    } finally {
      lock.unlockWrite(stamp);
    }
  }

  private void requireSame(long target) throws BlockException {
    if (target != length.get()) {
      throw new BlockException(
          BlockError.NOT_SUPPORTED,
          "cannot change the length of device "
              + file.quotedName()
              + " from "
              + length.get()
              + " to "
              + target);
    }
  }

  private void preallocate(long target, Preallocation preallocation) throws BlockException {
    long old = length.get();
    if (target < old) {
      throw refused(preallocation, "while it gets shorter");
    }
    if (target == old) {
      return;
    }
    try {
      switch (preallocation) {
        case FALLOC -> file.allocate("reserve space for", 0, old, target - old);
        case FULL -> writeZeroes(old, target);
        default -> throw refused(preallocation, "as it has none");
      }
    } catch (BlockException failure) {
      cutBack(old, failure);
      throw failure;
    }
  }

  private BlockException refused(Preallocation preallocation, String reason) {
    return new BlockException(
        BlockError.NOT_SUPPORTED,
        "cannot preallocate %s of %s %s".formatted(preallocation, file.quotedName(), reason));
  }

  private void writeZeroes(long start, long end) throws BlockException {
    for (long at = start; at < end; at += Zeroes.MAX_BUFFER) {
      transfer.write(at, Zeroes.buffer((int) Math.min(end - at, Zeroes.MAX_BUFFER)));
    }
  }

  private void cutBack(long old, BlockException failure) {
    try {
      file.truncate(old);
    } catch (BlockException second) {
      failure.addSuppressed(second);
    }
  }

  /** Asks the host, which may know better. */
  void refresh() throws BlockException {
    long stamp = lock.writeLock();
    try {
      length.set(isDevice ? DeviceSpace.length(file) : file.status().length());
    } finally {
      lock.unlockWrite(stamp);
    }
  }
}
