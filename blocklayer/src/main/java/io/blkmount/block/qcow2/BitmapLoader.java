// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.bitmap.DirtyBitmap;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import io.blkmount.block.qcow2.HeaderExtensions.BitmapsPointer;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/** Reads the bitmaps of an image, and guards what they are stored in. */
final class BitmapLoader {
  private final Metadata metadata;
  private final BitmapTables tables;

  BitmapLoader(Metadata metadata, BitmapTables tables) {
    this.metadata = metadata;
    this.tables = tables;
  }

  /**
   * Returns what the directory has, in its order.
   *
   * @param writable whether writes will come
   * @throws io.blkmount.block.error.CorruptImageException if the directory or a table breaks a rule
   * @throws BlockException {@code NOT_SUPPORTED} if writes would have to be marked in a bitmap that
   *     must not be used
   */
  List<PersistentBitmap> load(BitmapsPointer pointer, boolean writable) throws IOException {
    String imageName = metadata.file().name();
    int clusterSize = metadata.geometry().clusterSize();
    List<BitmapRecord> records =
        new BitmapDirectory(imageName, metadata.file(), clusterSize, pointer).read();
    requireShortTables(records);
    guard(pointer);
    List<PersistentBitmap> loaded = new ArrayList<>();
    for (BitmapRecord record : records) {
      if (writable && record.isStrange() && record.isAuto() && !record.isInUse()) {
        throw new BlockException(
            BlockError.NOT_SUPPORTED,
            "cannot open \""
                + imageName
                + "\" for writing: its bitmap "
                + record.printable()
                + " has to record all writes, but has extra data that is not known");
      }
      loaded.add(load(record));
    }
    return loaded;
  }

  private void requireShortTables(List<BitmapRecord> records) throws IOException {
    long bytes = records.stream().mapToLong(BitmapRecord::tableByteCount).sum();
    HeaderRules.forExtensions(metadata.file().name())
        .require(
            bytes <= BitmapRecord.MAX_TABLE_BYTES,
            "bitmaps",
            "their tables have "
                + bytes
                + " bytes, at most "
                + BitmapRecord.MAX_TABLE_BYTES
                + " are read");
  }

  private void guard(BitmapsPointer pointer) throws IOException {
    long offset = pointer.directoryOffset();
    OverlapGuard guard = metadata.guard();
    guard.requireFree("bitmap directory", offset, pointer.directoryLength());
    guard.add(offset, pointer.directoryLength(), OverlapGuard.Area.BITMAP_DIRECTORY);
  }

  private PersistentBitmap load(BitmapRecord record) throws IOException {
    if (record.isInUse() || record.isStrange()) {
      return PersistentBitmap.untouched(record);
    }
    DirtyBitmap content = new DirtyBitmap(metadata.length(), record.granularityBits());
    tables.load(record, content);
    content.settle();
    content.recording(record.isAuto());
    return PersistentBitmap.loaded(record, content);
  }
}
