// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.bytes.Alignment;
import io.blkmount.block.qcow2.CheckTally.Remedy;
import java.io.IOException;

/** Walks the snapshot table, from record to record. */
final class SnapshotWalk {
  private static final long MAX_TABLE = SnapshotTable.MAX_BYTES;

  private final CheckedImage image;
  private final HostReferences references;
  private final L1Walk l1;
  private final CheckTally tally;

  SnapshotWalk(CheckedImage image, HostReferences references, L1Walk l1, CheckTally tally) {
    this.image = image;
    this.references = references;
    this.l1 = l1;
    this.tally = tally;
  }

  void walk() throws IOException {
    Qcow2Header header = image.header();
    if (header.snapshotCount() > 0 && image.hasDataFile()) {
      tally.corruption(1, () -> "internal snapshots in an image with a data file");
    }
    int excess = image.excessSnapshots();
    if (excess > 0) {
      tally.error(
          Remedy.SNAPSHOT,
          excess,
          () -> excess + " snapshots more than the " + HeaderReader.MAX_SNAPSHOTS + " allowed");
    }
    long start = header.snapshotTableOffset();
    long end = start;
    for (int i = 0; i < header.snapshotCount() && end - start <= MAX_TABLE; i++) {
      end = walk(i, SnapshotHead.read(image, Alignment.up(end, Long.BYTES)));
    }
    if (end - start > MAX_TABLE) {
      tally.error(Remedy.SNAPSHOT, 1, () -> "snapshot table: longer than " + MAX_TABLE + " bytes");
    } else {
      references.own("snapshot table", start, end - start);
    }
  }

  private long walk(int index, SnapshotHead head) throws IOException {
    String name = "snapshot " + index;
    long extra = head.extraLength();
    if (extra > SnapshotRecord.MAX_EXTRA) {
      tally.error(
          Remedy.SNAPSHOT,
          1,
          () -> name + ": " + extra + " bytes of extra data, at most " + SnapshotRecord.MAX_EXTRA);
    } else if (extra < SnapshotHead.MIN_EXTRA && image.header().version() >= 3) {
      tally.corruption(
          1, () -> name + ": " + extra + " bytes of extra data, needs " + SnapshotHead.MIN_EXTRA);
    } else if (head.isNothing()) {
      tally.corruption(1, () -> name + ": no id, no name and no data");
    } else if (extra >= SnapshotHead.MIN_EXTRA) {
      checkLength(name, head);
    }
    long past = head.end() - image.fileLength();
    if (past > 0 && references.isInFile(head.at(), head.end() - head.at())) {
      tally.corruption(
          1, () -> name + ": its last " + past + " bytes are past the end of the file");
    }
    l1.addInactive(name, head.l1Offset(), head.l1EntryCount());
    return head.end();
  }

  private void checkLength(String name, SnapshotHead head) throws IOException {
    long length = SnapshotTableRepair.diskLength(image, head);
    if (length < 0) {
      tally.corruption(
          1,
          () -> name + ": a disk of " + Long.toUnsignedString(length) + " bytes is not below 2^63");
    }
  }
}
