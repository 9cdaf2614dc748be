// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse;

import io.blkmount.block.backend.BlockBackend;
import io.blkmount.block.driver.Preallocation;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.concurrent.locks.ReentrantReadWriteLock;

/**
 * A disk that behaves as a plain file: truncated and grown by its user.
 *
 * <p>Requests that stay inside the disk run side by side and hold the size still; one that changes
 * the size runs alone.
 */
final class ResizableExport extends Export {
  private final ReentrantReadWriteLock size = new ReentrantReadWriteLock();

  ResizableExport(BlockBackend disk) {
    super(disk);
  }

  @Override
  public int read(long offset, ByteBuffer target) throws IOException {
    size.readLock().lock();
    try {
      return super.read(offset, target);
    } finally {
      size.readLock().unlock();
    }
  }

  @Override
  public int write(long offset, ByteBuffer source) throws IOException {
    requireWritable();
    int count = source.remaining();
    if (count == 0) {
      return 0;
    }
    lockReaching(offset, count, true);
    try {
      disk().write(offset, source);
    } finally {
      size.readLock().unlock();
    }
    return count;
  }

  @Override
  public void setLength(long length) throws IOException {
    requireWritable();
    size.writeLock().lock();
    try {
      if (length != disk().length()) {
        disk().truncate(length, Preallocation.OFF);
        zeroFrom(length);
      }
    } finally {
      size.writeLock().unlock();
    }
  }

  /** A format that counts in sectors keeps the rest of the last one; nobody may see it again. */
  private void zeroFrom(long length) throws IOException {
    long kept = disk().length() - length;
    if (kept > 0) {
      disk().writeZeroes(length, kept, false);
    }
  }

  @Override
  void zero(int mode, long offset, long length) throws IOException {
    lockReaching(offset, length, !AllocationMode.keepsSize(mode));
    try {
      super.zero(AllocationMode.keepingSize(mode), offset, length);
    } finally {
      size.readLock().unlock();
    }
  }

  @Override
  void reserve(int mode, long offset, long length) throws IOException {
    lockReaching(offset, length, !AllocationMode.keepsSize(mode));
    try {
      super.reserve(AllocationMode.keepingSize(mode), offset, length);
    } finally {
      size.readLock().unlock();
    }
  }

  @Override
  void truncateAtOpen() throws IOException {
    setLength(0);
  }

  @Override
  void reach(long offset, long length) throws IOException {
    long end = offset + length;
    size.writeLock().lock();
    try {
      if (end > disk().length()) {
        disk().truncate(end, Preallocation.OFF);
      }
    } finally {
      size.writeLock().unlock();
    }
  }

  /** Takes the read lock, with the disk reaching so far; somebody may shrink it in between. */
  private void lockReaching(long offset, long length, boolean grow) throws IOException {
    size.readLock().lock();
    while (grow && endsBefore(offset + length)) {
      size.readLock().unlock();
      reach(offset, length);
      size.readLock().lock();
    }
  }

  /** Asks for the length with the read lock held, and lets go of it if there is no answer. */
  private boolean endsBefore(long end) throws IOException {
    boolean answered = false;
    try {
      boolean before = disk().length() < end;
      answered = true;
      return before;
    } finally {
      if (!answered) {
        size.readLock().unlock();
      }
    }
  }
}
