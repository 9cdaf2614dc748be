// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.testing;

import io.blkmount.block.error.CorruptImageException;
import java.util.BitSet;
import java.util.List;

/**
 * Checks the structure of a qcow2 image from the rules of the format alone. Stricter than qemu-img
 * check in two points: without internal snapshots no cluster has two owners, and version 2 knows no
 * zero flag.
 */
public final class Qcow2Checker {
  private static final long COPIED = 1L << 63;
  private static final long COMPRESSED = 1L << 62;
  private static final long L1_RESERVED = ~(Qcow2Layout.OFFSET_MASK | COPIED);
  private static final long L2_RESERVED = ~(Qcow2Layout.OFFSET_MASK | COPIED | COMPRESSED);

  private static final String ENTRY = "L2 entry of guest cluster ";

  private final PagedBytes image;
  private final Qcow2Layout layout;
  private final Qcow2References references;
  private final BitSet shareable = new BitSet();
  private long allocatedClusters;
  private long leaks;

  /**
   * What was found.
   *
   * @param corruptions the first of them; empty if the image is sound
   * @param corruptionCount how many there are
   * @param leaks clusters with a refcount above the number of references
   * @param allocatedClusters guest clusters with data of their own, compressed ones included
   */
  public record Findings(
      List<String> corruptions, long corruptionCount, long leaks, long allocatedClusters) {
    /** Returns whether nothing is wrong but, at most, leaks. */
    public boolean isConsistent() {
      return corruptionCount == 0;
    }

    /** Returns whether nothing is wrong at all. */
    public boolean isClean() {
      return corruptionCount == 0 && leaks == 0;
    }
  }

  private Qcow2Checker(PagedBytes image, Qcow2Layout layout) {
    this.image = image;
    this.layout = layout;
    this.references = new Qcow2References(layout, image.length());
  }

  /**
   * Checks an image.
   *
   * @param image all of its bytes
   */
  public static Findings check(PagedBytes image) {
    Qcow2Layout layout;
    try {
      layout = Qcow2Layout.parse(image);
    } catch (CorruptImageException e) {
      return new Findings(List.of(e.getMessage()), 1, 0, 0);
    }
    return new Qcow2Checker(image, layout).run();
  }

  private Findings run() {
    references.addAligned("header", 0, 0, 1);
    references.addAligned(
        "refcount table", 0, layout.refcountTableOffset(), layout.refcountTableBytes());
    addRefcountBlocks();
    if (layout.cryptOffset() != 0) {
      references.addAligned("LUKS header", 0, layout.cryptOffset(), layout.cryptLength());
    }
    addL1("L1 table", 0, layout.l1Offset(), layout.l1Size());
    addSnapshots();
    addBitmaps();
    checkRefcounts();
    // Refcounts come last: a dirty image has them rebuilt, everything else must hold as it is.
    if (!layout.isDirty()) {
      checkCopied();
    }
    return new Findings(
        references.corruptions(), references.corruptionCount(), leaks, allocatedClusters);
  }

  private void addBitmaps() {
    if (layout.bitmapsOffset() == 0) {
      return;
    }
    references.addAligned("bitmap directory", 0, layout.bitmapsOffset(), layout.bitmapsLength());
    try {
      int index = 0;
      for (StoredBitmap bitmap : StoredBitmap.all(image, layout)) {
        bitmap.addTo(references, image, layout, index++);
      }
    } catch (CorruptImageException e) {
      references.corrupt(String.valueOf(e.getMessage()));
    }
  }

  private void addRefcountBlocks() {
    for (long i = 0; i < layout.refcountTableBytes() / 8; i++) {
      long entry = image.getLong(layout.refcountTableOffset() + i * 8);
      if ((entry & 0x1ff) != 0) {
        references.corrupt("refcount table entry " + i + ": reserved bits");
      }
      if (entry != 0) {
        references.addAligned("refcount block", i, entry & ~0x1ffL, layout.clusterSize());
      }
    }
  }

  private void addL1(String name, int index, long offset, int entries) {
    if (entries == 0 || !references.addAligned(name, index, offset, entries * 8L)) {
      return;
    }
    for (int i = 0; i < entries; i++) {
      long entry = image.getLong(offset + i * 8L);
      long l2Offset = entry & Qcow2Layout.OFFSET_MASK;
      if ((entry & L1_RESERVED) != 0 || (l2Offset == 0 && entry != 0)) {
        references.corrupt(name + " entry " + i + ": reserved bits");
      }
      if (l2Offset != 0 && references.addAligned("L2 table", i, l2Offset, layout.clusterSize())) {
        addL2(i, l2Offset);
      }
    }
  }

  private void addL2(int l1Index, long l2Offset) {
    for (int j = 0; j < layout.l2Entries(); j++) {
      long at = l2Offset + (long) j * layout.l2EntrySize();
      long entry = image.getLong(at);
      long bitmap = layout.isExtended() ? image.getLong(at + 8) : 0;
      if (entry != 0 || bitmap != 0) {
        addEntry((long) l1Index * layout.l2Entries() + j, entry, bitmap);
      }
    }
  }

  private void addEntry(long guestCluster, long entry, long bitmap) {
    if ((entry & COMPRESSED) != 0) {
      addCompressed(guestCluster, entry, bitmap);
      return;
    }
    boolean zeroFlag = layout.version() == 3 && !layout.isExtended();
    if ((entry & L2_RESERVED & (zeroFlag ? ~1L : -1L)) != 0) {
      references.corrupt(ENTRY + guestCluster + ": reserved bits in 0x" + Long.toHexString(entry));
    }
    if ((bitmap >>> 32 & bitmap & 0xffff_ffffL) != 0) {
      references.corrupt(ENTRY + guestCluster + ": subcluster both allocated and zero");
    }
    long offset = entry & Qcow2Layout.OFFSET_MASK;
    if (layout.hasHostCluster(entry)) {
      allocatedClusters++;
      addHostCluster(guestCluster, offset);
    } else if ((bitmap & 0xffff_ffffL) != 0) {
      references.corrupt(ENTRY + guestCluster + ": subclusters allocated in no cluster");
    }
  }

  /** An external data file maps one to one, and nothing counts its clusters. */
  private void addHostCluster(long guestCluster, long offset) {
    if (!layout.hasDataFile()) {
      references.addAligned(ENTRY, guestCluster, offset, layout.clusterSize());
    } else if (offset != guestCluster << layout.clusterBits()) {
      references.corrupt(ENTRY + guestCluster + " elsewhere: 0x" + Long.toHexString(offset));
    }
  }

  private void addCompressed(long guestCluster, long entry, long bitmap) {
    allocatedClusters++;
    if (entry < 0) {
      references.corrupt(ENTRY + guestCluster + ": compressed with COPIED flag");
    }
    if (bitmap != 0) {
      references.corrupt(ENTRY + guestCluster + ": compressed with subclusters");
    }
    long first = layout.compressedOffset(entry) & -512L;
    long span = layout.compressedSpan(entry);
    if (references.add(ENTRY, guestCluster, first, span)) {
      int from = (int) (first >> layout.clusterBits());
      shareable.set(from, (int) (first + span - 1 >> layout.clusterBits()) + 1);
    }
  }

  private void addSnapshots() {
    long at = layout.snapshotsOffset();
    for (int i = 0; i < layout.snapshotCount(); i++) {
      // Fields are not aligned to 8 inside an entry, entries are.
      long sizes = image.getLong(at + 8);
      long extra = image.getLong(at + 32) & 0xffff_ffffL;
      addL1("L1 table of snapshot", i, image.getLong(at), (int) (sizes >>> 32));
      at += 40 + extra + (sizes >>> 16 & 0xffff) + (sizes & 0xffff);
      at = at + 7 & ~7L;
    }
    if (layout.snapshotCount() > 0) {
      long length = at - layout.snapshotsOffset();
      references.addAligned("snapshot table", 0, layout.snapshotsOffset(), length);
    }
  }

  private void checkRefcounts() {
    long perBlock = layout.refcountsPerBlock();
    for (long cluster = 0; cluster < references.clusters(); cluster++) {
      checkReferences(cluster);
    }
    for (long i = 0; i < layout.refcountTableBytes() / 8; i++) {
      long block = refcountBlock(i * perBlock);
      for (int word = 0; block != 0 && word < layout.clusterSize(); word += 8) {
        if (image.getLong(block + word) != 0) {
          countLeaks(i * perBlock + (word * 8L >> layout.refcountOrder()));
        }
      }
    }
  }

  private void checkReferences(long cluster) {
    int count = references.count(cluster);
    boolean mayShare = layout.snapshotCount() > 0 || shareable.get((int) cluster);
    if (count > 1 && !mayShare) {
      references.corrupt("cluster " + cluster + " has " + count + " references");
    }
    if (count > 0 && !layout.isDirty() && refcount(cluster) < count) {
      references.corrupt(
          "cluster " + cluster + " refcount " + refcount(cluster) + " references " + count);
    }
  }

  /**
   * Counts the leaks among the refcounts that share 8 bytes with the one of {@code first}; what is
   * counted past the end of the file takes no space and is none.
   */
  private void countLeaks(long first) {
    long fileClusters = Qcow2Layout.divideUp(image.length(), layout.clusterSize());
    for (long cluster = first; cluster < first + (64L >> layout.refcountOrder()); cluster++) {
      if (cluster < fileClusters
          && Long.compareUnsigned(refcount(cluster), references.count(cluster)) > 0) {
        leaks++;
      }
    }
  }

  private void checkCopied() {
    for (int i = 0; i < layout.l1Size(); i++) {
      long entry = image.getLong(layout.l1Offset() + i * 8L);
      long l2Offset = entry & Qcow2Layout.OFFSET_MASK;
      if (l2Offset != 0 && layout.isClusterAligned(l2Offset)) {
        checkCopied("L1 entry ", i, entry);
        for (int j = 0; j < layout.l2Entries(); j++) {
          long l2Entry = image.getLong(l2Offset + (long) j * layout.l2EntrySize());
          checkCopiedL2((long) i * layout.l2Entries() + j, l2Entry);
        }
      }
    }
  }

  private void checkCopiedL2(long guestCluster, long entry) {
    if (!layout.hasDataFile()) {
      checkCopied(ENTRY, guestCluster, entry);
    } else if (layout.hasHostCluster(entry) && entry >= 0) {
      references.corrupt(ENTRY + guestCluster + " in the data file without COPIED flag");
    }
  }

  private void checkCopied(String table, long index, long entry) {
    long offset = entry & Qcow2Layout.OFFSET_MASK;
    if ((entry & COMPRESSED) == 0 && offset != 0) {
      boolean single = refcount(offset >> layout.clusterBits()) == 1;
      if (single != entry < 0) {
        references.corrupt(
            table + index + ": COPIED flag is " + (entry < 0) + " at refcount 1: " + single);
      }
    }
  }

  private long refcountBlock(long cluster) {
    long index = cluster / layout.refcountsPerBlock();
    return index * 8 >= layout.refcountTableBytes()
        ? 0
        : image.getLong(layout.refcountTableOffset() + index * 8) & ~0x1ffL;
  }

  /** Returns the refcount, as a number without sign, of a cluster. */
  private long refcount(long cluster) {
    long block = refcountBlock(cluster);
    if (block == 0) {
      return 0;
    }
    int order = layout.refcountOrder();
    long index = cluster % layout.refcountsPerBlock();
    long word = image.getLong(block + (index << order >> 6) * 8);
    if (order == 6) {
      return word;
    }
    long bitInWord = index << order & 63;
    // Bytes are big-endian in the word; widths below a byte start at the byte's low end.
    long shift =
        order >= 3 ? 64 - (1L << order) - bitInWord : 56 - (bitInWord & ~7) + (bitInWord & 7);
    return word >>> shift & (1L << (1 << order)) - 1;
  }
}
