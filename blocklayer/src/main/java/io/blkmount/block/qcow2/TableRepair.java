// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.driver.BlockIo;
import io.blkmount.block.driver.WriteFlags;
import java.io.IOException;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/**
 * What a walk over the tables puts right on its way.
 *
 * <p>Writes only to clusters of which the walk before said that they hold a table and nothing else:
 * a damaged entry may lead to guest data, and what this makes as a table is noise.
 */
final class TableRepair {
  /** A check: nothing is put right. */
  static final TableRepair NONE = new TableRepair(null, null, null, false);

  /** What a disk writes whole or not at all. */
  private static final int SECTOR = 512;

  private final @Nullable BlockIo file;
  private final @Nullable ClusterCounts before;
  private final @Nullable ClusterCounts tablesBefore;
  private final boolean setsCopied;
  private long flags;
  private long entries;

  private TableRepair(
      @Nullable BlockIo file,
      @Nullable ClusterCounts before,
      @Nullable ClusterCounts tablesBefore,
      boolean setsCopied) {
    this.file = file;
    this.before = before;
    this.tablesBefore = tablesBefore;
    this.setsCopied = setsCopied;
  }

  /**
   * Returns a repair of tables.
   *
   * @param file that is written
   * @param before references of every kind, from the walk before
   * @param tablesBefore references to L2 tables, from the walk before
   * @param setsCopied whether COPIED may be set: if there can be references that were not counted,
   *     a write in place could hit somebody else's data
   */
  static TableRepair of(
      BlockIo file, ClusterCounts before, ClusterCounts tablesBefore, boolean setsCopied) {
    return new TableRepair(file, before, tablesBefore, setsCopied);
  }

  /** Returns whether something may be put right in a cluster. */
  boolean isFor(long cluster) {
    if (before == null || tablesBefore == null || cluster >= before.size()) {
      return false;
    }
    long count = before.count(cluster);
    long tables = tablesBefore.count(cluster);
    return before.has(cluster, ClusterCounts.OWNED)
        ? count == 1 && tables == 0
        : tables > 0 && count == tables;
  }

  /** Returns an entry with the flag that its refcount asks for, as far as that is safe. */
  long withFlag(long entry, boolean isSingle) {
    if (isSingle && !setsCopied) {
      return entry;
    }
    flags++;
    return isSingle ? L1Entry.of(entry) : L1Entry.shared(entry);
  }

  /** Counts an entry that meant nothing and is gone, and returns what takes its place. */
  long replacement(long entry) {
    entries++;
    return entry;
  }

  /** Returns how many flags were changed. */
  long flags() {
    return flags;
  }

  /** Returns how many changes were made in all. */
  long changes() {
    return flags + entries;
  }

  /** Writes one entry. */
  void write(long at, long entry) throws IOException {
    write(at, ByteBuffer.allocate(Long.BYTES).putLong(0, entry));
  }

  /**
   * Writes the sectors of a table that an entry was changed in.
   *
   * @param tableOffset host offset of the table
   * @param table all of it
   * @param first offset in the table of the first change
   * @param last offset in the table of the last change
   */
  void write(long tableOffset, ByteBuffer table, int first, int last) throws IOException {
    int start = first & -SECTOR;
    int end = Math.min(table.capacity(), (last & -SECTOR) + SECTOR);
    write(tableOffset + start, table.slice(start, end - start));
  }

  private void write(long at, ByteBuffer bytes) throws IOException {
    if (file == null) {
      throw new IllegalStateException("a check does not write");
    }
    file.write(at, bytes, WriteFlags.NONE);
  }
}
