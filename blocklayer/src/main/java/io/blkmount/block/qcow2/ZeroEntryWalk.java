// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.bytes.BouncePool;
import io.blkmount.block.driver.BlockIo;
import io.blkmount.block.driver.WriteFlags;
import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * Visits the entries of an image that read as zeros, always the same ones in the same order, and
 * stores what takes their place. A table that several L1 entries lead to is visited once.
 */
final class ZeroEntryWalk {
  private static final int SECTOR = 512;

  private final BlockIo file;
  private final Qcow2Check check;
  private final int most;
  private int visited;

  /**
   * Prepares walks.
   *
   * @param check of the file, that has run
   * @param most entries that one walk visits
   */
  ZeroEntryWalk(BlockIo file, Qcow2Check check, int most) {
    this.file = file;
    this.check = check;
    this.most = most;
  }

  /**
   * An L2 table on the way.
   *
   * @param hostOffset of its cluster
   * @param entries from 0 to the limit
   * @param references how many L1 entries lead to it
   * @param activeReferences how many of these are the disk's
   */
  record Table(long hostOffset, ByteBuffer entries, long references, long activeReferences) {}

  /** Looks at an entry that reads as zeros. */
  interface Visitor {
    /** Returns what takes its place. */
    long visit(Table table, long entry) throws IOException;
  }

  /** Looks at a table. */
  interface TableVisitor {
    void visit(Table table) throws IOException;
  }

  /** Returns how many entries the last walk has visited. */
  int visited() {
    return visited;
  }

  /** Visits the entries. */
  void forEach(Visitor visitor) throws IOException {
    visited = 0;
    forEachTable(table -> visitEntries(table, visitor));
  }

  /** Visits all tables, as long as their visitor does not visit too many entries. */
  void forEachTable(TableVisitor visitor) throws IOException {
    CheckedImage image = check.image();
    ClusterCounts tables = check.tables();
    try (BouncePool.Bounce bounce = BouncePool.take(image.clusterSize())) {
      for (long c = tables.nextUsed(0);
          c < tables.size() && visited < most;
          c = tables.nextUsed(c + 1)) {
        long offset = c << image.clusterBits();
        ByteBuffer entries = image.read(offset, bounce.buffer());
        visitor.visit(new Table(offset, entries, tables.count(c), check.activeTables().count(c)));
      }
    }
  }

  private void visitEntries(Table table, Visitor visitor) throws IOException {
    ByteBuffer entries = table.entries();
    int first = -1;
    int last = -1;
    for (int at = 0; at < entries.limit() && visited < most; at += Long.BYTES) {
      long entry = entries.getLong(at);
      if (L2Entry.isCompressed(entry) || (entry & L2Entry.ZERO_ENTRY) == 0) {
        continue;
      }
      visited++;
      long changed = visitor.visit(table, entry);
      if (changed != entry) {
        entries.putLong(at, changed);
        first = first < 0 ? at : first;
        last = at;
      }
    }
    if (first >= 0) {
      store(table, first, last);
    }
  }

  private void store(Table table, int firstAt, int lastAt) throws IOException {
    int start = firstAt & -SECTOR;
    int end = (lastAt & -SECTOR) + SECTOR;
    ByteBuffer changed = table.entries().slice(start, end - start);
    file.write(table.hostOffset() + start, changed, WriteFlags.NONE);
  }
}
