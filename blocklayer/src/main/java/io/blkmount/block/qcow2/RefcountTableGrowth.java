// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.bytes.BouncePool;
import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.function.LongConsumer;

/**
 * Moves the refcount table to a larger place when the file outgrows it: new blocks that count
 * themselves and the new table, the new table, a flush, and one write of the header that switches.
 */
final class RefcountTableGrowth {
  /** Largest refcount table that is opened or made, as QEMU's: 8 MiB. */
  private static final long MAX_TABLE_BYTES = 8L << 20;

  private final Metadata metadata;
  private final Refcounts refcounts;
  private final FreedClusters freed;
  private final MetadataWriteback writeback;

  RefcountTableGrowth(
      Metadata metadata, Refcounts refcounts, FreedClusters freed, MetadataWriteback writeback) {
    this.metadata = metadata;
    this.refcounts = refcounts;
    this.freed = freed;
    this.writeback = writeback;
  }

  /**
   * Makes the table long enough for a block; the caller holds the growth lock.
   *
   * @param blockIndex which entry is needed
   * @param usedUntil told the first cluster above the new structures
   * @throws IOException with {@code NO_SPACE} if the table would be larger than any reader takes
   */
  void requireRoomFor(long blockIndex, LongConsumer usedUntil) throws IOException {
    if (blockIndex >= metadata.refcountTable().entryCount()) {
      writeback.exclusively(() -> grow(blockIndex, usedUntil));
    }
  }

  private void grow(long blockIndex, LongConsumer usedUntil) throws IOException {
    RootTable old = metadata.refcountTable();
    Plan plan = plan(old, blockIndex);
    int bits = metadata.geometry().clusterBits();
    metadata
        .guard()
        .requireFree("new refcount table", plan.first << bits, plan.clusterCount() << bits);
    usedUntil.accept(plan.first + plan.clusterCount()); // before a byte of it is written
    RootTable table = writeNew(old, plan);
    new HeaderFields(metadata).switchRefcountTable(old, table);
    switchTo(table, old, plan);
  }

  /**
   * Where the new structures go: blocks first, then the table.
   *
   * @param first cluster index
   * @param blockCount new refcount blocks
   * @param tableClusters clusters of the new table
   */
  private record Plan(long first, int blockCount, int tableClusters) {
    long clusterCount() {
      return blockCount + (long) tableClusters;
    }

    long tableCluster() {
      return first + blockCount;
    }
  }

  private Plan plan(RootTable old, long blockIndex) throws BlockException {
    long first = (long) old.entryCount() * refcounts.perBlock();
    long blocks = 1;
    while (true) {
      long wanted =
          Math.max(blockIndex + 1, old.entryCount() + Math.max(blocks, old.entryCount() / 2));
      long tableClusters = metadata.geometry().clustersTouched(0, Math.multiplyExact(wanted, 8));
      if (tableClusters << metadata.geometry().clusterBits() > MAX_TABLE_BYTES) {
        throw new BlockException(
            BlockError.NO_SPACE,
            "refcount table cannot grow: "
                + wanted
                + " entries needed, "
                + MAX_TABLE_BYTES / 8
                + " allowed");
      }
      long needed = (blocks + tableClusters + refcounts.perBlock() - 1) / refcounts.perBlock();
      if (needed <= blocks) {
        return new Plan(first, (int) blocks, (int) tableClusters);
      }
      blocks = needed;
    }
  }

  private RootTable writeNew(RootTable old, Plan plan) throws IOException {
    int bits = metadata.geometry().clusterBits();
    int tableBytes = Math.multiplyExact(plan.tableClusters, metadata.geometry().clusterSize());
    RootTable table = new RootTable(plan.tableCluster() << bits, tableBytes / 8);
    table.takeOver(old);
    for (int i = 0; i < plan.blockCount; i++) {
      long hostOffset = (plan.first + i) << bits;
      metadata.file().write(hostOffset, block(plan, i), WriteFlags.NONE);
      table.set(old.entryCount() + i, hostOffset);
    }
    metadata.file().write(table.hostOffset(), table.padded(tableBytes), WriteFlags.NONE);
    metadata.file().flush();
    table.takeDirty(); // it is on the disk as it is
    return table;
  }

  /** Returns the bytes of the new block {@code index}. */
  private ByteBuffer block(Plan plan, int index) {
    ByteBuffer bytes = BouncePool.allocate(metadata.geometry().clusterSize());
    long counted = plan.clusterCount() - (long) index * refcounts.perBlock();
    for (int i = 0; i < Math.min(counted, refcounts.perBlock()); i++) {
      metadata.refcountWidth().set(bytes, i, 1);
    }
    return bytes;
  }

  private void switchTo(RootTable table, RootTable old, Plan plan) {
    int bits = metadata.geometry().clusterBits();
    OverlapGuard guard = metadata.guard();
    guard.remove(old.hostOffset(), old.byteCount(), OverlapGuard.Area.REFCOUNT_TABLE);
    guard.add(table.hostOffset(), table.byteCount(), OverlapGuard.Area.REFCOUNT_TABLE);
    guard.add(plan.first << bits, (long) plan.blockCount << bits, OverlapGuard.Area.REFCOUNT_BLOCK);
    metadata.lock().lock();
    try {
      metadata.refcountTable(table);
      freed.add(old.hostOffset(), old.byteCount());
    } finally {
      metadata.lock().unlock();
    }
  }
}
