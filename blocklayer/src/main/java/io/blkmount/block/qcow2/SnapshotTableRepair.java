// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.bytes.Alignment;
import io.blkmount.block.bytes.BouncePool;
import io.blkmount.block.driver.ChildOpener;
import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.error.BlockException;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * The snapshot table as a repair leaves it: without the records that lead nowhere, and with what
 * can be cut or filled in put right in the others. Of those every other byte stays.
 *
 * <p>QEMU cuts extra data, fills it in and drops what is too much; a record whose L1 table cannot
 * be one it reports, and keeps.
 */
final class SnapshotTableRepair {
  private static final int EXTRA_AT = SnapshotRecord.FIXED_LENGTH;
  private static final int VM_STATE_LENGTH_AT = 32;
  private static final int DISK_LENGTH_AT = 8;

  /** With the fields that every writer knows today. */
  private static final int FULL_EXTRA = 24;

  private final CheckedImage image;
  private final long start;
  private final ByteArrayOutputStream table = new ByteArrayOutputStream();
  private int count;
  private boolean isStartOfOld = true;

  private SnapshotTableRepair(CheckedImage image) {
    this.image = image;
    this.start = image.header().snapshotTableOffset();
  }

  /** Reads the table and decides; writes nothing. */
  static SnapshotTableRepair of(CheckedImage image) throws IOException {
    SnapshotTableRepair repair = new SnapshotTableRepair(image);
    repair.takeAll();
    return repair;
  }

  /** Returns whether the table cannot stay as it is. */
  boolean isNeeded() {
    return !isStartOfOld || hasFewer();
  }

  private boolean hasFewer() {
    return count < image.header().snapshotCount() || image.excessSnapshots() > 0;
  }

  /** Returns whether the new table is more than the start of the old one, so that it must move. */
  boolean moves() {
    return !isStartOfOld;
  }

  /** Returns the header with the new table. */
  Qcow2Header header(long tableOffset) {
    return image.header().withSnapshots(count, count == 0 ? 0 : tableOffset);
  }

  private void takeAll() throws IOException {
    long at = start;
    for (int i = 0; i < image.header().snapshotCount(); i++) {
      SnapshotHead head = SnapshotHead.read(image, Alignment.up(at, Long.BYTES));
      at = head.end();
      // Where the records end that are there, the rest of the table is, too.
      if (at > image.fileLength() || at - start > SnapshotTable.MAX_BYTES || !take(head)) {
        return;
      }
    }
  }

  /** Takes a record if it can be used; returns false if there is no room for it. */
  private boolean take(SnapshotHead head) throws IOException {
    if (!isUsable(head)) {
      return true;
    }
    byte[] record = repaired(head);
    if (table.size() + record.length > SnapshotTable.MAX_BYTES) {
      return false;
    }
    isStartOfOld &= start + table.size() == head.at() && isAsItWas(head, record);
    table.write(record, 0, record.length);
    count++;
    return true;
  }

  private boolean isUsable(SnapshotHead head) {
    long offset = head.l1Offset();
    return !head.isNothing()
        && offset >= (head.l1EntryCount() == 0 ? 0 : image.clusterSize())
        && offset < HeaderRules.MAX_HOST_OFFSET
        && image.isClusterAligned(offset)
        && head.l1EntryCount() <= HeaderReader.MAX_L1_ENTRIES
        && offset + head.l1ByteCount() - image.fileLength() < image.clusterSize();
  }

  private static boolean isAsItWas(SnapshotHead head, byte[] record) {
    return record.length == Alignment.up(head.end() - head.at(), Long.BYTES)
        && ByteBuffer.wrap(record).getInt(SnapshotHead.EXTRA_LENGTH_AT) == (int) head.extraLength();
  }

  /** Returns the whole record, with zeros behind it to a multiple of 8. */
  private byte[] repaired(SnapshotHead head) throws IOException {
    ByteBuffer extra = extra(head);
    ByteBuffer text = image.read(head.textAt(), ByteBuffer.allocate(head.textLength()));
    int length = EXTRA_AT + extra.limit() + text.limit();
    byte[] record = new byte[(int) Alignment.up(length, Long.BYTES)];
    ByteBuffer bytes = ByteBuffer.wrap(record).put(head.bytes().duplicate()).put(extra).put(text);
    bytes.putInt(SnapshotHead.EXTRA_LENGTH_AT, extra.limit());
    return record;
  }

  private ByteBuffer extra(SnapshotHead head) throws IOException {
    int stored = (int) Math.min(head.extraLength(), SnapshotRecord.MAX_EXTRA);
    boolean isShort = stored < SnapshotHead.MIN_EXTRA && image.header().version() >= 3;
    ByteBuffer extra = ByteBuffer.allocate(isShort ? FULL_EXTRA : stored);
    image.file().read(head.at() + EXTRA_AT, extra.limit(stored));
    extra.rewind().limit(extra.capacity());
    if (isShort) {
      fillIn(head, extra, stored);
    } else if (stored >= SnapshotHead.MIN_EXTRA && extra.getLong(DISK_LENGTH_AT) < 0) {
      isStartOfOld = false;
      extra.putLong(DISK_LENGTH_AT, likelyLength(head));
    }
    return extra;
  }

  private void fillIn(SnapshotHead head, ByteBuffer extra, int stored) {
    if (stored < DISK_LENGTH_AT) {
      extra.putLong(0, Integer.toUnsignedLong(head.bytes().getInt(VM_STATE_LENGTH_AT)));
    }
    extra.putLong(DISK_LENGTH_AT, likelyLength(head));
    extra.putLong(SnapshotHead.MIN_EXTRA, SnapshotRecord.UNKNOWN);
  }

  /** Whoever did not note the length did not let it change, either. */
  private long likelyLength(SnapshotHead head) {
    int entryShift = image.hasExtendedL2() ? 4 : 3;
    long mapped = head.l1EntryCount() << (2 * image.clusterBits() - entryShift);
    return Math.min(mapped, image.header().length());
  }

  /**
   * Returns the length of a disk in bytes as its record has it, which must not be negative.
   *
   * @param head of a record with enough extra data
   */
  static long diskLength(CheckedImage image, SnapshotHead head) throws IOException {
    long at = head.at() + EXTRA_AT + DISK_LENGTH_AT;
    return image.read(at, ByteBuffer.allocate(Long.BYTES)).getLong(0);
  }

  /**
   * Writes the table into clusters that nothing refers to and whose refcounts are 0, if they can be
   * read; to be counted before the header names it.
   *
   * @param check that has run; what it has counted is used up
   * @return host offset of the table
   * @throws BlockException with {@code NO_SPACE} if there is none; nothing has changed then
   */
  long writeAside(ChildOpener.Child file, Qcow2Check check) throws IOException {
    ClusterCounts counts = check.references().counts();
    try (BouncePool.Bounce bounce = BouncePool.take(image.clusterSize())) {
      check.stored().addUsed(counts, bounce.buffer());
    }
    long countedEnd = image.clusterCount() + (counts.count(image.clusterCount()) > 0 ? 1 : 0);
    long limit =
        file.support().growable() ? Long.MAX_VALUE : image.fileLength() >> image.clusterBits();
    long clusters = ((long) table.size() + image.clusterSize() - 1) >> image.clusterBits();
    FreeClusters free = new FreeClusters(check.references(), 0, countedEnd, limit);
    long offset = free.take(clusters) << image.clusterBits();
    ByteBuffer bytes = BouncePool.allocate((int) clusters << image.clusterBits());
    bytes.put(table.toByteArray()).rewind();
    file.write(offset, bytes, WriteFlags.NONE);
    file.flush();
    return offset;
  }
}
