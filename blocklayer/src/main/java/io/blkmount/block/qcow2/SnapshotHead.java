// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * The fixed part of a record of the snapshot table, of an image that may be damaged: nothing in it
 * is checked.
 *
 * <pre>
 *  0 L1 offset (8)     8 L1 entries (4)      12 id length (2)     14 name length (2)
 * 16 ...              36 extra length (4)    40 extra data, id, name, padded to 8
 * </pre>
 *
 * @param at host offset in bytes
 * @param bytes {@link SnapshotRecord#FIXED_LENGTH} of them
 */
record SnapshotHead(long at, ByteBuffer bytes) {
  private static final int L1_ENTRIES_AT = 8;
  private static final int ID_LENGTH_AT = 12;
  private static final int NAME_LENGTH_AT = 14;
  static final int EXTRA_LENGTH_AT = 36;

  /** Version 3 needs the length of the disk, which ends here. */
  static final int MIN_EXTRA = 16;

  /** Reads the part; zeros past the end of the file. */
  static SnapshotHead read(CheckedImage image, long at) throws IOException {
    return new SnapshotHead(at, image.read(at, ByteBuffer.allocate(SnapshotRecord.FIXED_LENGTH)));
  }

  long l1Offset() {
    return bytes.getLong(0);
  }

  long l1EntryCount() {
    return Integer.toUnsignedLong(bytes.getInt(L1_ENTRIES_AT));
  }

  long l1ByteCount() {
    return l1EntryCount() * Long.BYTES;
  }

  long extraLength() {
    return Integer.toUnsignedLong(bytes.getInt(EXTRA_LENGTH_AT));
  }

  /** Returns how long id and name are together. */
  int textLength() {
    return Short.toUnsignedInt(bytes.getShort(ID_LENGTH_AT))
        + Short.toUnsignedInt(bytes.getShort(NAME_LENGTH_AT));
  }

  /** Returns where the id begins. */
  long textAt() {
    return at + SnapshotRecord.FIXED_LENGTH + extraLength();
  }

  /** Returns where the record ends, without the zeros behind it. */
  long end() {
    return textAt() + textLength();
  }

  /** Returns whether it is the record of a disk that nobody can ask for and that has no data. */
  boolean isNothing() {
    return l1EntryCount() == 0 && textLength() == 0;
  }
}
