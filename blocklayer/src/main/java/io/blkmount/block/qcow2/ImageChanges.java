// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import io.blkmount.block.error.CorruptImageException;
import java.io.IOException;

/**
 * Lets an open image be changed: only while it may be written, after what must be durable before
 * the first change of all, and so that the first sign of damage ends it.
 */
final class ImageChanges {
  private final Metadata metadata;
  private final Qcow2Parts parts;
  private final Corruption corruption;
  private final FirstWrite firstWrite;
  private final Qcow2Bitmaps bitmaps;

  ImageChanges(
      Metadata metadata,
      Qcow2Parts parts,
      Corruption corruption,
      FirstWrite firstWrite,
      Qcow2Bitmaps bitmaps) {
    this.metadata = metadata;
    this.parts = parts;
    this.corruption = corruption;
    this.firstWrite = firstWrite;
    this.bitmaps = bitmaps;
  }

  /** A change of the image, which may be made again from the start. */
  interface Change {
    void run() throws IOException;
  }

  /** Does what must be durable before the disk changes at all. */
  void prepare() throws IOException {
    corruption.requireWritable();
    firstWrite.prepare();
    bitmaps.prepare();
  }

  /** Makes a change; once more if there was no space, but clusters were on their way to be free. */
  void make(Change change) throws IOException {
    prepare();
    long freedBefore = parts.freed().freedCount();
    try {
      attempt(change);
    } catch (BlockException full) {
      if (full.error() != BlockError.NO_SPACE || !hasFreed(freedBefore, full)) {
        throw full;
      }
      attempt(change);
    }
  }

  private boolean hasFreed(long freedBefore, BlockException full) {
    try {
      store(parts.writeback()::freeDropped);
      return parts.freed().freedCount() > freedBefore;
    } catch (IOException e) {
      full.addSuppressed(e);
      return false;
    }
  }

  private void attempt(Change change) throws IOException {
    long epoch = metadata.epochs().enter();
    try {
      change.run();
    } catch (CorruptImageException e) {
      throw corruption.report(e);
    } catch (HeaderFields.UndecidedException e) {
      corruption.stopWriting(e);
      throw e;
    } finally {
      metadata.epochs().leave(epoch);
    }
  }

  /** A change of all tables, made while no request is in flight. */
  interface Reorganization<T> {
    T run() throws IOException;
  }

  /** Makes a change of all tables, and only once: it is whole, or has changed nothing. */
  <T> T reorganize(Reorganization<T> change) throws IOException {
    corruption.requireWritable();
    firstWrite.prepare();
    bitmaps.lock().lock(); // nor is one added or removed
    try {
      return change.run();
    } catch (CorruptImageException e) {
      throw corruption.report(e);
    } catch (HeaderFields.UndecidedException e) {
      corruption.stopWriting(e);
      throw e;
    } finally {
      bitmaps.lock().unlock();
    }
  }

  /** Writes metadata that has changed already; of a damaged image, too. */
  void store(Change write) throws IOException {
    try {
      write.run();
    } catch (CorruptImageException e) {
      throw corruption.report(e);
    }
  }
}
