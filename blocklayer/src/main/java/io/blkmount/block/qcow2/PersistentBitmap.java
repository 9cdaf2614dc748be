// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.bitmap.DirtyBitmap;
import io.blkmount.block.bytes.HostName;
import io.blkmount.block.driver.BitmapInfo;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/** One bitmap of an open image; used under the lock of {@link Qcow2Bitmaps}. */
final class PersistentBitmap {
  private final String name;
  private final @Nullable DirtyBitmap content;
  private @Nullable BitmapRecord stored;

  private PersistentBitmap(
      String name, @Nullable DirtyBitmap content, @Nullable BitmapRecord stored) {
    this.name = name;
    this.content = content;
    this.stored = stored;
  }

  /** Returns a new bitmap, which the directory does not have yet. */
  static PersistentBitmap added(String name, DirtyBitmap content) {
    return new PersistentBitmap(name, content, null);
  }

  /** Returns a bitmap of the directory. */
  static PersistentBitmap loaded(BitmapRecord record, DirtyBitmap content) {
    return new PersistentBitmap(record.name(), content, record);
  }

  /** Returns a bitmap of the directory that is left alone: it is inconsistent, or strange. */
  static PersistentBitmap untouched(BitmapRecord record) {
    return new PersistentBitmap(record.name(), null, record);
  }

  String name() {
    return name;
  }

  /** Returns the name for a message on one line. */
  String printable() {
    return '"' + HostName.printable(name) + '"';
  }

  /** Returns the marks; null if they are not to be used. */
  @Nullable DirtyBitmap content() {
    return content;
  }

  /** Returns what the directory has; null before the bitmap was stored for the first time. */
  @Nullable BitmapRecord stored() {
    return stored;
  }

  void stored(BitmapRecord record) {
    stored = record;
  }

  boolean isRecording() {
    return content != null && content.isRecording();
  }

  /** Returns whether it was in use when somebody went down. */
  boolean isInconsistent() {
    return content == null && stored != null && stored.isInUse();
  }

  /** Returns whether what is stored is not what it is, apart from its flags. */
  boolean isStale() {
    return content != null && (stored == null || content.isChanged());
  }

  /** Returns the record to store, with the table that is stored now, if any. */
  BitmapRecord record() {
    BitmapRecord old = stored;
    if (content == null) {
      if (old == null) {
        throw new IllegalStateException("neither stored nor in memory: " + name);
      }
      return old;
    }
    int flags = content.isRecording() ? BitmapRecord.AUTO : 0;
    return old == null
        ? new BitmapRecord(0, 0, flags, content.granularityBits(), ByteBuffer.allocate(0), name)
        : old.withFlags(flags | (old.flags() & BitmapRecord.EXTRA_DATA_COMPATIBLE));
  }

  BitmapInfo info() {
    BitmapRecord record = record();
    return new BitmapInfo(
        name,
        1L << record.granularityBits(),
        content == null ? 0 : content.dirtyBytes(),
        content == null ? record.isAuto() : content.isRecording(),
        false,
        true,
        isInconsistent());
  }
}
