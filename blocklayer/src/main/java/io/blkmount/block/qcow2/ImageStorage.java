// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import java.io.IOException;
import org.jspecify.annotations.Nullable;

/** Brings to the files what an opened image holds only in memory, until the image is closed. */
final class ImageStorage {
  private final Metadata metadata;
  private final MetadataWriteback writeback;
  private final Corruption corruption;
  private final ImageChanges changes;
  private final Qcow2Bitmaps bitmaps;
  private @Nullable CacheCleaning cleaning;

  ImageStorage(
      Metadata metadata,
      MetadataWriteback writeback,
      Corruption corruption,
      ImageChanges changes,
      Qcow2Bitmaps bitmaps) {
    this.metadata = metadata;
    this.writeback = writeback;
    this.corruption = corruption;
    this.changes = changes;
    this.bitmaps = bitmaps;
  }

  /** Lets go, from now on, of cached metadata that is not used; at most one call, at open. */
  void cleanCaches(long intervalSeconds, Alarm clock) {
    cleaning = new CacheCleaning(metadata, intervalSeconds, clock);
  }

  /** Also when the image was found damaged: what was written before is still the guest's data. */
  void flush() throws IOException {
    if (corruption.wasWritable()) {
      changes.store(writeback::flush);
      corruption.requireDecided();
    }
  }

  /** The order of metadata needs the flushes of the file between its steps, here as at a flush. */
  void writeBack() throws IOException {
    if (corruption.wasWritable()) {
      changes.store(writeback::writeDirty);
    }
  }

  /** Writes all back, and reads it anew when it is needed. */
  void invalidate() throws IOException {
    writeBack();
    metadata.forgetCached();
  }

  /** Stores everything; what is held in memory is let go of, even if that failed. */
  void close() throws IOException {
    try {
      if (corruption.wasWritable()) {
        flush();
        bitmaps.close(); // after the flush: what cannot be stored takes no data along
        flush();
        metadata.file().flush(); // what was freed at the end of the write-back
      }
    } finally {
      if (cleaning != null) {
        cleaning.close();
      }
      metadata.close();
      corruption.logLaterSigns();
    }
  }
}
