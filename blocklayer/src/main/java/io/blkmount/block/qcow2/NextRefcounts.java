// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import io.blkmount.block.error.CorruptImageException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The refcounts as they will be, beside those that are in force and stay as they are: every block
 * that differs gets a new place, and so does the table.
 *
 * <p>New places are found where the image uses nothing now, so that the image of now is whole until
 * the header names the new table. All blocks that were looked at are in memory: 32 MiB for 1 TiB in
 * clusters of 64 KiB with 16 bits each.
 */
final class NextRefcounts {
  /** Largest refcount table that is opened or made, as QEMU's. */
  private static final long MAX_TABLE_BYTES = HeaderReader.MAX_REFCOUNT_TABLE_BYTES;

  private final Metadata metadata;
  private final Refcounts current;
  private final HostSpace space;
  private final RefcountWidth width;
  private final int perBlock;
  private final Map<Long, Block> blocks = new HashMap<>();
  private final List<Block> changed = new ArrayList<>();
  private @Nullable Block lastUsed;
  private long highestIndex;

  /** No single cluster below is free. */
  private long nextSingle;

  /** Where the next run is looked for; another cursor, since runs leave gaps. */
  private long nextRun;

  NextRefcounts(Metadata metadata, Refcounts current, HostSpace space) {
    this.metadata = metadata;
    this.current = current;
    this.space = space;
    this.width = metadata.refcountWidth();
    this.perBlock = current.perBlock();
  }

  /** A refcount block as it will be. */
  private static final class Block {
    final long index;
    final long oldOffset;
    final ByteBuffer counts;

    /** Clusters that are in use now and will not be: nothing may be written there yet. */
    final BitSet left = new BitSet();

    boolean isChanged;
    long newOffset;

    Block(long index, long oldOffset, ByteBuffer counts) {
      this.index = index;
      this.oldOffset = oldOffset;
      this.counts = counts;
    }
  }

  private Block block(long cluster) throws IOException {
    long index = cluster / perBlock;
    Block block = lastUsed;
    if (block == null || block.index != index) {
      block = blocks.get(index);
      if (block == null) {
        block = load(cluster, index);
        blocks.put(index, block);
      }
      lastUsed = block;
    }
    return block;
  }

  private Block load(long cluster, long index) throws IOException {
    long hostOffset = current.blockOffset(cluster);
    ByteBuffer counts = ByteBuffer.allocate(metadata.geometry().clusterSize());
    if (hostOffset != 0) {
      current.requireBlock(cluster);
      metadata.requireInFile("refcount block", hostOffset);
      metadata.file().read(hostOffset, counts);
    }
    return new Block(index, hostOffset, counts.clear());
  }

  /** Returns how many references a cluster will have. */
  long count(long cluster) throws IOException {
    return width.get(block(cluster).counts, (int) (cluster % perBlock));
  }

  /**
   * Adds references to a cluster that is in use, or takes some away.
   *
   * @throws BlockException with {@code INVALID} if that is more than the width can count
   * @throws CorruptImageException if the cluster has too few references, or none although it is
   *     used
   */
  void add(long cluster, int delta) throws IOException {
    Block block = block(cluster);
    int index = (int) (cluster % perBlock);
    long before = width.get(block.counts, index);
    boolean inUse = before != 0 || block.left.get(index);
    if (!inUse || before + delta < 0) {
      throw new CorruptImageException(
          "refcount of the cluster",
          cluster << metadata.geometry().clusterBits(),
          "is " + before + ", the cluster is in use");
    }
    if (before + delta > width.max()) {
      throw new BlockException(
          BlockError.INVALID,
          "refcount of cluster " + cluster + ": " + before + " is the largest that fits");
    }
    set(block, index, before + delta);
    block.left.set(index, before + delta == 0);
  }

  private void set(Block block, int index, long count) {
    width.set(block.counts, index, count);
    if (!block.isChanged) {
      block.isChanged = true;
      changed.add(block);
      highestIndex = Math.max(highestIndex, block.index);
    }
  }

  /** Takes one reference away from each cluster of an area of the file. */
  void release(long hostOffset, long length) throws IOException {
    long first = hostOffset >> metadata.geometry().clusterBits();
    long end = first + metadata.geometry().clustersTouched(hostOffset, length);
    for (long cluster = length == 0 ? end : first; cluster < end; cluster++) {
      add(cluster, -1);
    }
  }

  /**
   * Takes clusters that are free now and were to stay so; they will have one reference each.
   *
   * @param clusterCount how many, one after the other
   * @return host offset of the first; 0 for none
   * @throws BlockException with {@code NO_SPACE} if the device has no room
   */
  long take(int clusterCount) throws IOException {
    if (clusterCount == 0) {
      return 0;
    }
    long first = findFree(clusterCount == 1 ? nextSingle : nextRun, clusterCount);
    long end = first + clusterCount;
    space.requireRoom(end - 1);
    int bits = metadata.geometry().clusterBits();
    metadata.guard().requireFree("new table", first << bits, (long) clusterCount << bits);
    space.noteUse(end); // before a byte of it is written
    for (long cluster = first; cluster < end; cluster++) {
      set(block(cluster), (int) (cluster % perBlock), 1);
    }
    if (clusterCount == 1) {
      nextSingle = end;
    } else {
      nextRun = end;
    }
    return first << bits;
  }

  private long findFree(long from, int clusterCount) throws IOException {
    long first = from;
    for (long cluster = from; cluster < first + clusterCount; cluster++) {
      Block block = block(cluster);
      int index = (int) (cluster % perBlock);
      if (block.left.get(index) || width.get(block.counts, index) != 0) {
        first = cluster + 1;
      }
    }
    return first;
  }

  /**
   * Finds places for the blocks and the table and writes them there. Nothing may be counted after
   * that.
   *
   * @return the table, not yet durable
   */
  RootTable write() throws IOException {
    RootTable old = metadata.refcountTable();
    release(old.hostOffset(), old.byteCount());
    placeBlocks();
    RootTable table = placeTable(old);
    for (Block block : changed) {
      metadata.file().write(block.newOffset, block.counts.duplicate(), WriteFlags.NONE);
      table.set((int) block.index, block.newOffset);
    }
    metadata.file().write(table.hostOffset(), table.padded(table.byteCount()), WriteFlags.NONE);
    table.takeDirty(); // it is in the file as it is
    return table;
  }

  /** A block's new place is counted, which may change one more block; the list grows meanwhile. */
  @SuppressWarnings("ForLoopReplaceableByForEach")
  private void placeBlocks() throws IOException {
    for (int i = 0; i < changed.size(); i++) {
      Block block = changed.get(i);
      if (block.newOffset == 0) {
        block.newOffset = take(1);
        if (block.oldOffset != 0) {
          release(block.oldOffset, 1);
        }
      }
    }
  }

  /** The table itself may need a block more, and that a longer table. */
  private RootTable placeTable(RootTable old) throws IOException {
    while (true) {
      long entries = Math.max(old.entryCount(), highestIndex + 1);
      long clusters = metadata.geometry().clustersTouched(0, entries * Long.BYTES);
      long bytes = clusters << metadata.geometry().clusterBits();
      requireAllowed(entries, bytes);
      long hostOffset = take((int) clusters);
      placeBlocks();
      if (highestIndex < bytes / Long.BYTES) {
        RootTable table = new RootTable(hostOffset, (int) (bytes / Long.BYTES));
        table.takeOver(old);
        return table;
      }
      release(hostOffset, bytes);
    }
  }

  private static void requireAllowed(long entries, long bytes) throws BlockException {
    if (bytes > MAX_TABLE_BYTES) {
      throw new BlockException(
          BlockError.NO_SPACE,
          "refcount table cannot grow: "
              + entries
              + " entries needed, "
              + MAX_TABLE_BYTES / Long.BYTES
              + " allowed");
    }
  }

  /** Tells where metadata lies from now on; the header names the new table. */
  void moveGuard(OverlapGuard guard, RootTable old, RootTable table) {
    int clusterSize = metadata.geometry().clusterSize();
    guard.remove(old.hostOffset(), old.byteCount(), OverlapGuard.Area.REFCOUNT_TABLE);
    for (Block block : changed) {
      if (block.oldOffset != 0) {
        guard.remove(block.oldOffset, clusterSize, OverlapGuard.Area.REFCOUNT_BLOCK);
      }
    }
    guard.add(table.hostOffset(), table.byteCount(), OverlapGuard.Area.REFCOUNT_TABLE);
    for (Block block : changed) {
      guard.add(block.newOffset, clusterSize, OverlapGuard.Area.REFCOUNT_BLOCK);
    }
  }

  /** Gives the space back that was in use and is free, now that the header names the new table. */
  void punchFreed(FreedClusters freed) throws CorruptImageException {
    for (Block block : changed) {
      for (int start = block.left.nextSetBit(0); start >= 0; ) {
        int end = block.left.nextClearBit(start);
        long first = block.index * perBlock + start;
        int bits = metadata.geometry().clusterBits();
        metadata.guard().requireFree("freed cluster", first << bits, (long) (end - start) << bits);
        freed.punch(first, end - start);
        start = block.left.nextSetBit(end);
      }
    }
  }
}
