// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.qcow2.CheckTally.Remedy;
import io.blkmount.block.qcow2.L2Entry.Kind;
import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * Walks every L2 table once, in the order of the file: what an entry refers to counts as often as
 * L1 entries lead to the table.
 */
final class L2Walk {
  private static final long RESERVED = 0x3f00_0000_0000_01feL;

  /** In the second word of an extended entry: subclusters with data; above them those of zeros. */
  private static final long ALLOCATED = 0xffff_ffffL;

  private final CheckedImage image;
  private final StoredRefcounts stored;
  private final HostReferences references;
  private final CheckTally tally;
  private final TableRepair repair;
  private final boolean hasZeroFlag;

  private long allocated;
  private long fragmented;
  private long compressed;

  /** Of the table that is being walked: how many L1 entries lead to it, and how many active. */
  private long weight;

  private long activeWeight;

  /** Whether something may be put right in the table. */
  private boolean repairs;

  /** Where the next guest cluster would lie without a gap, 0 before the first one. */
  private long nextOffset;

  L2Walk(
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
    this.hasZeroFlag = image.header().version() >= 3 && !image.hasExtendedL2();
  }

  long allocated() {
    return allocated;
  }

  long fragmented() {
    return fragmented;
  }

  long compressed() {
    return compressed;
  }

  /**
   * Walks all tables.
   *
   * @param tables how many L1 entries lead to each
   * @param activeTables how many of them are active
   * @param buffer of one cluster
   */
  void walk(ClusterCounts tables, ClusterCounts activeTables, ByteBuffer buffer)
      throws IOException {
    for (long c = tables.nextUsed(0); c < tables.size(); c = tables.nextUsed(c + 1)) {
      weight = tables.count(c);
      activeWeight = activeTables.count(c);
      repairs = repair.isFor(c);
      nextOffset = 0;
      long offset = c << image.clusterBits();
      if (!image.isHole(offset)) {
        walk(offset, image.read(offset, buffer));
      }
    }
  }

  private void walk(long tableOffset, ByteBuffer table) throws IOException {
    boolean extended = image.hasExtendedL2();
    int entrySize = extended ? 2 * Long.BYTES : Long.BYTES;
    int first = -1;
    int last = -1;
    for (int at = 0; at < table.limit(); at += entrySize) {
      long entry = table.getLong(at);
      long bitmap = extended ? table.getLong(at + Long.BYTES) : 0;
      long right = (entry | bitmap) == 0 ? entry : visit(tableOffset + at, entry, bitmap);
      if (right != entry) {
        table.putLong(at, right);
        first = first < 0 ? at : first;
        last = at;
      }
    }
    if (first >= 0) {
      repair.write(tableOffset, table, first, last);
    }
  }

  /** Returns the entry as it should be, which it is already unless something is put right. */
  private long visit(long at, long entry, long bitmap) throws IOException {
    return switch (kind(entry)) {
      case COMPRESSED -> visitCompressed(at, entry, bitmap);
      case NORMAL, ZERO_ALLOCATED -> visitStandard(at, entry, bitmap);
      default -> {
        checkReserved(at, entry);
        if ((bitmap & ALLOCATED) != 0) {
          report(at, entry, "subclusters are allocated, but no cluster is");
        }
        yield entry;
      }
    };
  }

  /** In a data file, guest cluster 0 lies at offset 0. */
  private Kind kind(long entry) {
    Kind kind = L2Entry.kind(entry, hasZeroFlag);
    boolean isAtStart = kind == Kind.UNALLOCATED && image.hasDataFile() && L2Entry.isCopied(entry);
    return isAtStart ? Kind.NORMAL : kind;
  }

  private void checkReserved(long at, long entry) {
    long reserved = hasZeroFlag ? RESERVED : RESERVED | L2Entry.ZERO_ENTRY;
    if ((entry & reserved) != 0) {
      report(at, entry, "reserved bits are set");
    }
  }

  private long visitCompressed(long at, long entry, long bitmap) {
    long right = entry;
    if (L2Entry.isCopied(entry)) {
      report(Remedy.FLAG, weight, at, entry, "a compressed cluster with the COPIED flag");
      right = repairs ? repair.withFlag(entry, false) : entry;
    }
    if (image.hasDataFile()) {
      report(at, entry, "a compressed cluster in an image with a data file");
      return right;
    }
    if (bitmap != 0) {
      report(at, entry, "a compressed cluster with subclusters");
    }
    CompressedCluster cluster = CompressedCluster.decode(entry, image.clusterBits());
    if (!references.add(cluster.hostOffset(), cluster.lengthBytes(), weight)) {
      report(at, entry, "the compressed cluster is past the end of the file");
    }
    allocated += activeWeight;
    compressed += activeWeight;
    // QEMU counts them so: they share sectors with their neighbours, which are read twice.
    fragmented += activeWeight;
    return right;
  }

  private long visitStandard(long at, long entry, long bitmap) throws IOException {
    checkReserved(at, entry);
    if (((bitmap >>> Integer.SIZE) & bitmap) != 0) {
      report(at, entry, "subclusters both allocated and zero");
    }
    long offset = L2Entry.hostOffset(entry);
    if (!image.isClusterAligned(offset)) {
      boolean holdsNothing = holdsNothing(entry, bitmap);
      report(
          holdsNothing ? Remedy.ENTRY : Remedy.NONE,
          weight,
          at,
          entry,
          "the data is not on a cluster boundary");
      if (holdsNothing && repairs) {
        return repair.replacement(image.hasExtendedL2() ? 0 : L2Entry.ZERO_ENTRY);
      }
    }
    countFragment(offset);
    if (!image.hasDataFile() && !references.add(offset, image.clusterSize(), weight)) {
      report(at, entry, "the data is past the end of the file");
    }
    return activeWeight > 0 ? checkCopied(at, entry, offset >>> image.clusterBits()) : entry;
  }

  /** Returns whether a cluster is only kept for later: what it reads as, it does without. */
  private boolean holdsNothing(long entry, long bitmap) {
    return image.hasExtendedL2()
        ? (bitmap & ALLOCATED) == 0
        : hasZeroFlag && (entry & L2Entry.ZERO_ENTRY) != 0;
  }

  private void countFragment(long offset) {
    allocated += activeWeight;
    if (nextOffset != 0 && offset != nextOffset) {
      fragmented += activeWeight;
    }
    nextOffset = offset + image.clusterSize();
  }

  /** The flag says that a write may go to the cluster itself; only active tables are written. */
  private long checkCopied(long at, long entry, long cluster) throws IOException {
    if (image.hasDataFile() || stored.isKnown(cluster)) {
      boolean isSingle = image.hasDataFile() || stored.isSingle(cluster, references.counts());
      if (L2Entry.isCopied(entry) != isSingle) {
        String problem =
            isSingle ? "not COPIED at refcount 1" : "COPIED, but the refcount is not 1";
        report(Remedy.FLAG, activeWeight, at, entry, problem);
        return repairs ? repair.withFlag(entry, isSingle) : entry;
      }
    }
    return entry;
  }

  private void report(long at, long entry, String problem) {
    report(Remedy.NONE, weight, at, entry, problem);
  }

  private void report(Remedy remedy, long count, long at, long entry, String problem) {
    tally.corruption(
        remedy,
        count,
        () ->
            "L2 entry "
                + HeaderRules.hex(entry)
                + " at host offset "
                + HeaderRules.hex(at)
                + ": "
                + problem);
  }
}
