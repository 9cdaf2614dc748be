// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import java.io.IOException;

/** Makes L2 tables where there is none yet. Stands for QEMU's {@code l2_allocate()}. */
final class L2Tables {
  private final Metadata metadata;
  private final ClusterLookup lookup;
  private final ClusterAllocator allocator;
  private final Refcounts refcounts;

  L2Tables(
      Metadata metadata, ClusterLookup lookup, ClusterAllocator allocator, Refcounts refcounts) {
    this.metadata = metadata;
    this.lookup = lookup;
    this.allocator = allocator;
    this.refcounts = refcounts;
  }

  /**
   * Returns the pinned slice that maps {@code guestOffset}, in a table that may be changed.
   *
   * @throws IOException with {@code NO_SPACE} if there is none for a new table
   */
  Slice pinForChange(long guestOffset) throws IOException {
    long l2Offset = require(metadata.geometry().l1Index(guestOffset));
    metadata.guard().requireArea(l2Offset, OverlapGuard.Area.L2_TABLE);
    return metadata.l2Cache().pin(l2Offset + metadata.geometry().sliceOffset(guestOffset));
  }

  private long require(int l1Index) throws IOException {
    RootTable l1 = metadata.l1();
    long l2Offset = lookup.l2Offset(l1, l1Index);
    if (l2Offset == 0) {
      return create(l1Index);
    }
    if (!L1Entry.isCopied(l1.entry(l1Index))) {
      requireSoleOwner(l2Offset);
    }
    return l2Offset;
  }

  /** Only snapshots share tables, and images with snapshots are not opened for writing. */
  private void requireSoleOwner(long l2Offset) throws IOException {
    long owners = refcounts.get(l2Offset >> metadata.geometry().clusterBits());
    if (owners != 1) {
      throw new BlockException(
          BlockError.NOT_SUPPORTED,
          "L2 table at host offset 0x"
              + Long.toHexString(l2Offset)
              + ": its refcount is "
              + owners
              + ", only tables that are not shared are changed");
    }
  }

  private long create(int l1Index) throws IOException {
    metadata.requireInFile("L1 table", metadata.l1().hostOffset() + l1Index * 8L);
    HostRun run = allocator.allocate(1).run();
    boolean linked = false;
    try {
      int clusterSize = metadata.geometry().clusterSize();
      metadata.file().writeZeroes(run.hostOffset(), clusterSize, WriteFlags.NONE);
      linked = link(l1Index, run.hostOffset());
      return lookup.l2Offset(metadata.l1(), l1Index);
    } finally {
      if (!linked) {
        allocator.giveBack(run);
      }
    }
  }

  /** Enters the new table unless another thread was faster. */
  private boolean link(int l1Index, long l2Offset) {
    metadata.lock().lock();
    try {
      if (L1Entry.l2Offset(metadata.l1().entry(l1Index)) != 0) {
        return false;
      }
      int clusterSize = metadata.geometry().clusterSize();
      metadata.guard().add(l2Offset, clusterSize, OverlapGuard.Area.L2_TABLE);
      metadata.l1().set(l1Index, L1Entry.of(l2Offset));
      return true;
    } finally {
      metadata.lock().unlock();
    }
  }
}
