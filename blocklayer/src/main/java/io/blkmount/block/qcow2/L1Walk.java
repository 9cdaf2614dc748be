// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.qcow2.CheckTally.Remedy;
import java.io.IOException;

/**
 * Walks the active L1 table and those of the snapshots, and counts how many entries lead to each L2
 * table. Snapshots share most of their L2 tables, so that these are walked once later on, whatever
 * the number of snapshots.
 */
final class L1Walk {
  private static final long RESERVED = 0x7f00_0000_0000_01ffL;

  private final CheckedImage image;
  private final StoredRefcounts stored;
  private final HostReferences references;
  private final CheckTally tally;
  private final TableRepair repair;
  private final ClusterCounts tables;
  private final ClusterCounts activeTables;
  private final OverlappingRanges inactive = new OverlappingRanges();
  private final OverlappingRanges inactiveInFile = new OverlappingRanges();

  L1Walk(
      CheckedImage image,
      StoredRefcounts stored,
      HostReferences references,
      CheckTally tally,
      TableRepair repair) {
    this.image = image;
    this.stored = stored;
    this.references = references;
    this.tally = tally;
    this.repair = repair;
    this.tables = new ClusterCounts(references.counts().size());
    this.activeTables = new ClusterCounts(references.counts().size());
  }

  /** Returns how many entries of all L1 tables lead to the L2 table in each cluster. */
  ClusterCounts tables() {
    return tables;
  }

  /** Returns how many entries of the active L1 table do. */
  ClusterCounts activeTables() {
    return activeTables;
  }

  void walkActive() throws IOException {
    long offset = image.header().l1TableOffset();
    long length = (long) image.header().l1EntryCount() * Long.BYTES;
    references.own("active L1 table", offset, length);
    image.forEachEntry(offset, offset + length, (at, entry) -> visit(at, entry, 1, true));
  }

  /**
   * Takes the L1 table of a snapshot.
   *
   * @param owner for messages
   * @param offset as the snapshot has it, any number
   * @param entryCount as the snapshot has it, 32 bits without sign
   */
  void addInactive(String owner, long offset, long entryCount) {
    String what = "L1 table of " + owner;
    if (offset < 0 || offset >= HeaderRules.MAX_HOST_OFFSET || !image.isClusterAligned(offset)) {
      tally.corruption(
          1,
          () ->
              what + ": host offset " + HeaderRules.hex(offset) + " is not on a cluster boundary");
    } else if (offset == 0 && entryCount > 0) {
      tally.corruption(1, () -> what + ": host offset 0, where the header is");
    } else if (entryCount > HeaderReader.MAX_L1_ENTRIES) {
      tally.corruption(
          1,
          () ->
              what
                  + ": "
                  + entryCount
                  + " entries, at most "
                  + HeaderReader.MAX_L1_ENTRIES
                  + " are allowed");
    } else {
      addInactive(what, offset, (int) entryCount);
    }
  }

  private void addInactive(String what, long offset, int entryCount) {
    long length = (long) entryCount * Long.BYTES;
    inactive.add(offset, length);
    if (references.isInFile(offset, length)) {
      inactiveInFile.add(offset, length);
    } else {
      references.reportOutside(what, offset, length);
    }
  }

  /** Walks the L1 tables of all snapshots. */
  void walkInactive() throws IOException {
    references.own(inactiveInFile);
    inactive.forEachPiece(
        Long.BYTES,
        (start, end, weight) ->
            image.forEachEntry(start, end, (at, entry) -> visit(at, entry, weight, false)));
  }

  private void visit(long at, long entry, long weight, boolean isActive) throws IOException {
    long offset = L1Entry.l2Offset(entry);
    if (offset == 0) {
      report(Remedy.ENTRY, weight, at, entry, "flags, but no L2 table");
      if (repair.isFor(at >>> image.clusterBits())) {
        repair.write(at, repair.replacement(0));
      }
      return;
    }
    if ((entry & RESERVED) != 0) {
      report(weight, at, entry, "reserved bits are set");
    }
    visitTable(at, entry, weight, isActive);
  }

  private void visitTable(long at, long entry, long weight, boolean isActive) throws IOException {
    long offset = L1Entry.l2Offset(entry);
    long cluster = offset >>> image.clusterBits();
    boolean isInFile = references.add(offset, image.clusterSize(), weight);
    if (!isInFile) {
      report(weight, at, entry, "the L2 table is past the end of the file");
    }
    if (!image.isClusterAligned(offset)) {
      report(weight, at, entry, "the L2 table is not on a cluster boundary");
    } else if (isInFile) {
      tables.add(cluster, weight);
      if (isActive) {
        activeTables.add(cluster, weight);
      }
    }
    if (isActive && stored.isKnown(cluster)) {
      checkCopied(at, entry, stored.isSingle(cluster, references.counts()));
    }
  }

  private void checkCopied(long at, long entry, boolean isSingle) throws IOException {
    if (L1Entry.isCopied(entry) != isSingle) {
      String problem = isSingle ? "not COPIED at refcount 1" : "COPIED, but the refcount is not 1";
      report(Remedy.FLAG, 1, at, entry, problem);
      long right =
          repair.isFor(at >>> image.clusterBits()) ? repair.withFlag(entry, isSingle) : entry;
      if (right != entry) {
        repair.write(at, right);
      }
    }
  }

  private void report(long weight, long at, long entry, String problem) {
    report(Remedy.NONE, weight, at, entry, problem);
  }

  private void report(Remedy remedy, long weight, long at, long entry, String problem) {
    tally.corruption(
        remedy,
        weight,
        () ->
            "L1 entry "
                + HeaderRules.hex(entry)
                + " at host offset "
                + HeaderRules.hex(at)
                + ": "
                + problem);
  }
}
