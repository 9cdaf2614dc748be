// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.bytes.BouncePool;
import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.error.CorruptImageException;
import java.io.IOException;

/**
 * Makes L2 tables that may be changed: empty ones where there is none yet, copies of those that
 * internal snapshots share. Stands for QEMU's {@code l2_allocate()}.
 *
 * <p>An L1 entry of an open image changes once at most, to one with COPIED; so whoever holds an
 * older one knows that another thread was faster.
 */
final class L2Tables {
  private final Metadata metadata;
  private final ClusterLookup lookup;
  private final ClusterAllocator allocator;
  private final Refcounts refcounts;
  private final FreedClusters freed;

  L2Tables(
      Metadata metadata,
      ClusterLookup lookup,
      ClusterAllocator allocator,
      Refcounts refcounts,
      FreedClusters freed) {
    this.metadata = metadata;
    this.lookup = lookup;
    this.allocator = allocator;
    this.refcounts = refcounts;
    this.freed = freed;
  }

  /**
   * Returns the pinned slice that maps {@code guestOffset}, in a table that may be changed.
   *
   * @throws IOException with {@code NO_SPACE} if there is none for a new table
   */
  Slice pinForChange(long guestOffset) throws IOException {
    long l2Offset = require(metadata.geometry().l1Index(guestOffset));
    metadata.guard().requireArea(l2Offset, OverlapGuard.Area.L2_TABLE);
    metadata.guard().requireNoSnapshots(l2Offset);
    return metadata.l2Cache().pin(l2Offset + metadata.geometry().sliceOffset(guestOffset));
  }

  private long require(int l1Index) throws IOException {
    long entry = metadata.l1().entry(l1Index);
    long l2Offset = lookup.l2Offset(entry);
    if (l2Offset != 0 && L1Entry.isCopied(entry)) {
      return l2Offset;
    }
    metadata.requireInFile("L1 table", metadata.l1().hostOffset() + l1Index * 8L);
    if (l2Offset != 0 && isOurs(l1Index, entry)) {
      link(l1Index, entry, l2Offset); // COPIED was wrong, or it went with the last snapshot
    } else {
      create(l1Index, entry);
    }
    return lookup.l2Offset(metadata.l1(), l1Index);
  }

  /** Returns whether a table without COPIED is nevertheless no snapshot's. */
  private boolean isOurs(int l1Index, long entry) throws IOException {
    long l2Offset = lookup.l2Offset(entry);
    requireTable(l1Index, entry);
    metadata.requireInFile("L2 table", l2Offset);
    long owners = refcounts.get(l2Offset >> metadata.geometry().clusterBits());
    if (owners == 0) {
      throw new CorruptImageException("L2 table", l2Offset, "its refcount is 0, it is in use");
    }
    return owners == 1;
  }

  /** Fails if the table of an entry that is still there is something else, too. */
  private void requireTable(int l1Index, long entry) throws CorruptImageException {
    metadata.lock().lock();
    try {
      if (metadata.l1().entry(l1Index) == entry) {
        metadata.guard().requireArea(L1Entry.l2Offset(entry), OverlapGuard.Area.L2_TABLE);
      }
    } finally {
      metadata.lock().unlock();
    }
  }

  /** Puts a new table in the place of {@code entry}, unless another thread is faster. */
  private void create(int l1Index, long entry) throws IOException {
    HostRun run = allocator.allocate(1).run();
    boolean linked = false;
    try {
      fill(run.hostOffset(), L1Entry.l2Offset(entry));
      linked = link(l1Index, entry, run.hostOffset());
    } finally {
      if (!linked) {
        allocator.giveBack(run);
      }
    }
  }

  /** Copies a shared table as it is on the disk: nobody has changed it in memory. */
  private void fill(long hostOffset, long sharedOffset) throws IOException {
    if (sharedOffset == 0) {
      metadata.file().writeZeroes(hostOffset, clusterSize(), WriteFlags.NONE);
      return;
    }
    try (BouncePool.Bounce bounce = BouncePool.take(clusterSize())) {
      metadata.file().read(sharedOffset, bounce.buffer());
      metadata.file().write(hostOffset, bounce.buffer().flip(), WriteFlags.NONE);
    }
  }

  /**
   * Enters a table that is ours, and drops the one that was there, unless the entry has changed.
   */
  private boolean link(int l1Index, long before, long l2Offset) {
    metadata.lock().lock();
    try {
      if (metadata.l1().entry(l1Index) != before) {
        return false;
      }
      long old = L1Entry.l2Offset(before);
      if (old != l2Offset) {
        metadata.guard().add(l2Offset, clusterSize(), OverlapGuard.Area.L2_TABLE);
      }
      metadata.l1().set(l1Index, L1Entry.of(l2Offset));
      if (old != 0 && old != l2Offset) {
        metadata.guard().remove(old, clusterSize(), OverlapGuard.Area.L2_TABLE);
        freed.add(old, clusterSize());
      }
      return true;
    } finally {
      metadata.lock().unlock();
    }
  }

  private int clusterSize() {
    return metadata.geometry().clusterSize();
  }
}
