// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.testing.PagedBytes;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** The snapshot table of an image, to be damaged record by record, where it is. */
final class SnapshotDamage {
  private static final int EXTRA_LENGTH_AT = 36;
  private static final int EXTRA_AT = 40;

  private final PagedBytes image;
  private final List<byte[]> records = new ArrayList<>();

  /** Reads the records of an image in order. */
  SnapshotDamage(PagedBytes image) {
    this.image = image;
    long at = offset();
    for (int i = 0; i < count(); i++) {
      ByteBuffer head = ByteBuffer.wrap(image.bytes(at, EXTRA_AT));
      int length = EXTRA_AT + head.getInt(36) + head.getShort(12) + head.getShort(14);
      records.add(image.bytes(at, length));
      at = (at + length + 7) & -8;
    }
  }

  private long offset() {
    return image.getLong(Qcow2Header.SNAPSHOT_TABLE_OFFSET_AT);
  }

  int count() {
    return ByteBuffer.wrap(image.bytes(Qcow2Header.SNAPSHOT_COUNT_AT, 4)).getInt();
  }

  void setCount(int count) {
    image.write(Qcow2Header.SNAPSHOT_COUNT_AT, ByteBuffer.allocate(4).putInt(0, count));
  }

  /** Returns the extra data of a record. */
  byte[] extra(int index) {
    byte[] all = records.get(index);
    int length = ByteBuffer.wrap(all).getInt(EXTRA_LENGTH_AT);
    return Arrays.copyOfRange(all, EXTRA_AT, EXTRA_AT + length);
  }

  /** Makes the extra data of a record longer, with numbers that mean nothing, or shorter. */
  SnapshotDamage setExtraLength(int index, int length) {
    byte[] old = extra(index);
    byte[] extra = Arrays.copyOf(old, length);
    for (int i = old.length; i < length; i++) {
      extra[i] = (byte) (i * 7 + 1);
    }
    byte[] all = records.get(index);
    int textAt = EXTRA_AT + old.length;
    byte[] record = new byte[all.length - old.length + length];
    ByteBuffer bytes = ByteBuffer.wrap(record).put(all, 0, EXTRA_AT).put(extra);
    bytes.put(all, textAt, all.length - textAt).putInt(EXTRA_LENGTH_AT, length);
    records.set(index, record);
    return this;
  }

  SnapshotDamage putLong(int index, int at, long value) {
    ByteBuffer unused = ByteBuffer.wrap(records.get(index)).putLong(at, value);
    return this;
  }

  SnapshotDamage putInt(int index, int at, int value) {
    ByteBuffer unused = ByteBuffer.wrap(records.get(index)).putInt(at, value);
    return this;
  }

  /** Writes the records back; what lay behind them in their cluster may be overwritten. */
  void store() {
    ByteArrayOutputStream table = new ByteArrayOutputStream();
    for (byte[] record : records) {
      table.writeBytes(record);
      table.writeBytes(new byte[-record.length & 7]);
    }
    image.write(offset(), ByteBuffer.wrap(table.toByteArray()));
  }
}
