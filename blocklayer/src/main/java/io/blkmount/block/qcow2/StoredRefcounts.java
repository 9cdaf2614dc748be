// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.qcow2.CheckTally.Remedy;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.stream.LongStream;
import org.jspecify.annotations.Nullable;

/** The refcounts as the file has them: the refcount table, in memory, and its blocks, on demand. */
final class StoredRefcounts {
  /** Bits 0 to 8 of a refcount table entry. */
  private static final long RESERVED = 0x1ff;

  private final CheckedImage image;
  private final RootTable table;
  private final RefcountWidth width;

  /** Where the blocks lie, ascending; made when it is needed. */
  private long @Nullable [] blockOffsets;

  private StoredRefcounts(CheckedImage image, RootTable table) {
    this.image = image;
    this.table = table;
    this.width = new RefcountWidth(image.header().refcountOrder());
  }

  static StoredRefcounts read(CheckedImage image) throws IOException {
    Qcow2Header header = image.header();
    int entries = header.refcountTableClusters() << (header.clusterBits() - 3);
    return new StoredRefcounts(
        image, RootTable.read(image.file(), header.refcountTableOffset(), entries));
  }

  RefcountWidth width() {
    return width;
  }

  int refcountsPerBlock() {
    return width.perBytes(image.clusterSize());
  }

  /** Returns whether there is a way to the refcount of a cluster. */
  boolean isKnown(long cluster) {
    return isReadable(cluster / refcountsPerBlock());
  }

  /** Returns whether a block is where a block can be, or there is none, which means zeros. */
  boolean isReadable(long block) {
    return image.isClusterAligned(offset(block));
  }

  /** Returns whether there should be a block, but it cannot be read. */
  boolean isDamaged(long block) {
    long offset = offset(block);
    return !image.isClusterAligned(offset) || (offset != 0 && !isInFile(offset));
  }

  /** Returns a block in {@code buffer}, or null if all its refcounts are 0. */
  @Nullable ByteBuffer read(long block, ByteBuffer buffer) throws IOException {
    long offset = offset(block);
    return offset == 0 || !isInFile(offset) ? null : image.read(offset, buffer);
  }

  /** Returns where a block lies; 0 if there is none. */
  long offset(long block) {
    return block >= table.entryCount() ? 0 : table.entry((int) block) & ~RESERVED;
  }

  private boolean isInFile(long offset) {
    return offset >>> image.clusterBits() < image.clusterCount();
  }

  /** Marks the clusters of the file whose refcount is 1. */
  void markSingles(ClusterCounts counts, ByteBuffer buffer) throws IOException {
    int perBlock = refcountsPerBlock();
    long end = image.clusterCount();
    for (long first = 0; first < end; first += perBlock) {
      long index = first / perBlock;
      ByteBuffer block = isReadable(index) ? read(index, buffer) : null;
      if (block != null) {
        markSingles(counts, block, first, (int) Math.min(perBlock, end - first));
      }
    }
  }

  /** Counts each cluster of the file that has a refcount, or one that cannot be read. */
  void addUsed(ClusterCounts counts, ByteBuffer buffer) throws IOException {
    int perBlock = refcountsPerBlock();
    long end = image.clusterCount();
    for (long first = 0; first < end; first += perBlock) {
      long index = first / perBlock;
      boolean isDamaged = isDamaged(index);
      ByteBuffer block = isDamaged ? null : read(index, buffer);
      for (int i = 0; i < Math.min(perBlock, end - first); i++) {
        if (isDamaged || (block != null && width.get(block, i) != 0)) {
          counts.add(first + i, 1);
        }
      }
    }
  }

  private void markSingles(ClusterCounts counts, ByteBuffer block, long first, int count) {
    for (int i = 0; i < count; i++) {
      if (width.get(block, i) == 1) {
        counts.mark(first + i, ClusterCounts.SINGLE);
      }
    }
  }

  /**
   * Returns whether the refcount of a cluster is 1. Asks the marks or, past the end of the file, a
   * few bytes of a block: a file that was cut off has lost its data, not its refcounts.
   */
  boolean isSingle(long cluster, ClusterCounts counts) throws IOException {
    if (cluster < image.clusterCount()) {
      return counts.has(cluster, ClusterCounts.SINGLE);
    }
    long offset = offset(cluster / refcountsPerBlock());
    if (offset == 0 || !isInFile(offset)) {
      return false;
    }
    int index = (int) (cluster % refcountsPerBlock());
    int perWord = width.perBytes(Long.BYTES);
    long wordOffset = offset + (long) (index / perWord) * Long.BYTES;
    return width.get(image.read(wordOffset, ByteBuffer.allocate(Long.BYTES)), index % perWord) == 1;
  }

  /** Counts the references to the blocks; to be called last, as nothing else may refer to them. */
  void addReferences(HostReferences references, CheckTally tally) {
    references.own("refcount table", table.hostOffset(), table.byteCount());
    for (int i = 0; i < table.entryCount(); i++) {
      if (table.entry(i) != 0) {
        addBlock(i, table.entry(i), references, tally);
      }
    }
  }

  private void addBlock(int index, long entry, HostReferences references, CheckTally tally) {
    if ((entry & RESERVED) != 0) {
      tally.corruption(
          Remedy.REFCOUNT, 1, () -> name(index) + "reserved bits in " + HeaderRules.hex(entry));
    }
    long offset = entry & ~RESERVED;
    if (!image.isClusterAligned(offset)) {
      tally.corruption(
          Remedy.REFCOUNT,
          1,
          () -> name(index) + HeaderRules.hex(offset) + " is not on a cluster boundary");
    } else if (!isInFile(offset)) {
      tally.corruption(
          Remedy.REFCOUNT,
          1,
          () -> name(index) + HeaderRules.hex(offset) + " is past the end of the file");
    } else if (offset != 0) {
      references.add(offset, image.clusterSize(), 1);
      long count = references.counts().count(offset >>> image.clusterBits());
      if (count != 1) {
        tally.corruption(
            Remedy.REFCOUNT,
            1,
            () ->
                name(index)
                    + "the block at host offset "
                    + HeaderRules.hex(offset)
                    + " has "
                    + count
                    + " references");
      }
    }
  }

  /**
   * Returns whether the blocks cannot be put right where they are: one of them, or the table, is
   * damaged, holds something else, too, or is not there.
   *
   * @param counts of all references
   */
  boolean needRebuild(ClusterCounts counts) {
    return !isOwned(table.hostOffset(), table.byteCount(), counts)
        || hasDamagedBlock(counts)
        || lacksBlock(counts);
  }

  private boolean isOwned(long offset, long length, ClusterCounts counts) {
    for (long at = offset; at < offset + length; at += image.clusterSize()) {
      if (!isInFile(at) || counts.count(at >>> image.clusterBits()) != 1) {
        return false;
      }
    }
    return true;
  }

  private boolean hasDamagedBlock(ClusterCounts counts) {
    for (int i = 0; i < table.entryCount(); i++) {
      long entry = table.entry(i);
      boolean isSound = (entry & RESERVED) == 0 && image.isClusterAligned(entry);
      if (entry != 0 && !(isSound && isOwned(entry, image.clusterSize(), counts))) {
        return true;
      }
    }
    return false;
  }

  private boolean lacksBlock(ClusterCounts counts) {
    int perBlock = refcountsPerBlock();
    long used = counts.nextUsed(0);
    while (used < counts.size()) {
      boolean isCounted = counts.count(used) > 0;
      if (isCounted && offset(used / perBlock) == 0) {
        return true;
      }
      long next = isCounted ? (used / perBlock + 1) * perBlock : used + 1;
      used = next < counts.size() ? counts.nextUsed(next) : next;
    }
    return false;
  }

  /**
   * Returns whether a cluster is part of the table or a block, which can be made anew elsewhere.
   */
  boolean holds(long cluster) {
    long offset = cluster << image.clusterBits();
    boolean isTable =
        offset >= table.hostOffset() && offset < table.hostOffset() + table.byteCount();
    return isTable || Arrays.binarySearch(blockOffsets(), offset) >= 0;
  }

  private long[] blockOffsets() {
    long[] offsets = blockOffsets;
    if (offsets == null) {
      offsets = LongStream.range(0, table.entryCount()).map(this::offset).sorted().toArray();
      blockOffsets = offsets;
    }
    return offsets;
  }

  /** Returns how many blocks the table has room for. */
  int entryCount() {
    return table.entryCount();
  }

  /** Takes back what {@link #addReferences} counted: the table and its blocks are given up. */
  void removeReferences(HostReferences references) {
    references.add(table.hostOffset(), table.byteCount(), -1);
    for (int i = 0; i < table.entryCount(); i++) {
      long offset = offset(i);
      if (offset != 0 && image.isClusterAligned(offset) && isInFile(offset)) {
        references.add(offset, image.clusterSize(), -1);
      }
    }
  }

  private static String name(int index) {
    return "refcount table entry " + index + ": ";
  }
}
