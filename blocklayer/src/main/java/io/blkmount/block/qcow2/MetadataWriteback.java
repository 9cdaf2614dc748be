// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import java.io.IOException;
import java.util.List;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Brings changed metadata to the disk, in the one order that no power cut can break: refcounts,
 * then (with the guest data durable) new refcount blocks' table entries, then L2 slices, then L1
 * entries, and only then are dropped clusters freed. Stands for {@code qcow2_write_caches()} and
 * the cache dependencies of QEMU.
 */
final class MetadataWriteback {
  /** Dropped runs that make a write-back due: the list stays below a few megabytes. */
  private static final int MAX_DROPPED = 1 << 16;

  /** Bytes of dirty slices that make a write-back due: the copies stay not far above. */
  private static final int MAX_DIRTY_BYTES = 4 << 20;

  /** So many dirty slices are always let be, so that requests do not write back for each other. */
  private static final int LEAST_DIRTY = 8;

  /** How often {@link #freeDropped} looks whether requests have ended. */
  private static final long POLL_NANOS = 200_000;

  private final Metadata metadata;
  private final FreedClusters freed;
  private final int maxDirtyL2;
  private final int maxDirtyRefcounts;

  /** One write-back at a time; held over its I/O, and nobody who reads or overwrites needs it. */
  private final ReentrantLock lock = new ReentrantLock();

  MetadataWriteback(Metadata metadata, FreedClusters freed) {
    this.metadata = metadata;
    this.freed = freed;
    this.maxDirtyL2 = dueAt(metadata.l2Cache());
    this.maxDirtyRefcounts = dueAt(metadata.refcountCache());
  }

  private static int dueAt(MetadataCache cache) {
    int most = Math.min(MAX_DIRTY_BYTES / cache.sliceSize(), cache.maxSlices());
    return Math.max(LEAST_DIRTY, most);
  }

  /** Something done while no write-back runs and everything before it has been written. */
  interface Exclusive {
    void run() throws IOException;
  }

  /**
   * Makes durable all metadata that was complete when the call began, and all guest data.
   *
   * @throws IOException if a write or flush failed; what was not written is tried again next time
   */
  void flush() throws IOException {
    lock.lock();
    try {
      if (!writeChanges()) {
        metadata.file().flush();
        metadata.data().flush();
      }
    } finally {
      lock.unlock();
    }
  }

  /** Does {@link #flush} if metadata has changed at all. */
  void writeDirty() throws IOException {
    exclusively(() -> {});
  }

  /**
   * Frees every cluster that was dropped before the call: makes the drops durable and waits for the
   * requests that were in flight. The caller is none of them, and holds no lock.
   *
   * @throws IOException if a write or flush failed
   */
  void freeDropped() throws IOException {
    long epoch = metadata.epochs().current();
    while (freed.isAnyLeft()) {
      writeDirty();
      if (metadata.epochs().hasPassed(epoch)) {
        return;
      }
      LockSupport.parkNanos(POLL_NANOS);
    }
  }

  /** Does {@link #flush} if so much has piled up that memory or the caches would suffer. */
  void runIfDue() throws IOException {
    if (isDue()) {
      lock.lock();
      try {
        if (isDue()) { // else somebody has just done it
          writeChanges();
        }
      } finally {
        lock.unlock();
      }
    }
  }

  private boolean isDue() {
    return metadata.l2Cache().dirtyCount() > maxDirtyL2
        || metadata.refcountCache().dirtyCount() > maxDirtyRefcounts
        || freed.freshCount() > MAX_DROPPED;
  }

  /** Writes what has changed, and then does {@code action} before anybody else can write. */
  void exclusively(Exclusive action) throws IOException {
    lock.lock();
    try {
      writeChanges();
      action.run();
    } finally {
      lock.unlock();
    }
  }

  /** Makes changed metadata durable and frees what it can; returns whether there was any. */
  @GuardedBy("lock")
  private boolean writeChanges() throws IOException {
    if (isClean()) {
      return false; // as at most flushes: a snapshot of nothing would be garbage
    }
    boolean changed = writeSnapshot(takeSnapshot());
    if (freed.reclaim()) {
      writeRefcounts(); // with no flush: a refcount that went down is never in a hurry
    }
    return changed;
  }

  private boolean isClean() {
    metadata.lock().lock();
    try {
      return metadata.refcountCache().dirtyCount() == 0
          && metadata.refcountTable().isClean()
          && metadata.l2Cache().dirtyCount() == 0
          && metadata.l1().isClean()
          && !freed.isAnyLeft();
    } finally {
      metadata.lock().unlock();
    }
  }

  private boolean writeSnapshot(Snapshot snapshot) throws IOException {
    boolean written = false;
    try {
      boolean changed = !snapshot.isClean();
      if (changed) {
        write(snapshot);
      }
      written = true;
      return changed;
    } finally {
      finish(snapshot, written);
    }
  }

  private void write(Snapshot snapshot) throws IOException {
    snapshot.refcounts.writeTo(metadata.file());
    metadata.file().flush();
    metadata.data().flush();
    if (!snapshot.refcountTable.isEmpty()) {
      snapshot.refcountTable.requireArea(metadata.guard(), OverlapGuard.Area.REFCOUNT_TABLE);
      snapshot.refcountTable.writeTo(metadata.file());
      metadata.file().flush();
    }
    if (!snapshot.l2.isEmpty() || !snapshot.l1.isEmpty()) {
      requireL2Tables(snapshot.l2);
      snapshot.l2.writeTo(metadata.file());
      metadata.file().flush();
    }
    if (!snapshot.l1.isEmpty()) {
      snapshot.l1.requireArea(metadata.guard(), OverlapGuard.Area.L1_TABLE);
      snapshot.l1.writeTo(metadata.file());
      metadata.file().flush();
    }
  }

  private void requireL2Tables(DirtySlices slices) throws IOException {
    for (Slice slice : slices.slices()) {
      metadata.guard().requireArea(slice.hostOffset(), OverlapGuard.Area.L2_TABLE);
      metadata.guard().requireNoSnapshots(slice.hostOffset());
    }
  }

  @GuardedBy("lock")
  private void writeRefcounts() throws IOException {
    DirtySlices slices;
    metadata.lock().lock();
    try {
      slices = metadata.refcountCache().copyDirty();
      slices.commit();
    } finally {
      metadata.lock().unlock();
    }
    boolean written = false;
    try {
      slices.writeTo(metadata.file());
      written = true;
    } finally {
      finishRefcounts(slices, written);
    }
  }

  private void finishRefcounts(DirtySlices slices, boolean written) {
    metadata.lock().lock();
    try {
      if (!written) {
        slices.markDirtyAgain();
      }
    } finally {
      metadata.lock().unlock();
    }
    slices.release();
  }

  /** All that is newer than the disk, as it was at one moment. */
  private record Snapshot(
      DirtySlices refcounts,
      RootTable.Dirty refcountTable,
      DirtySlices l2,
      RootTable.Dirty l1,
      List<FreedClusters.Dropped> dropped) {

    /** Dropped clusters alone are a change: their entries may be on their way already. */
    boolean isClean() {
      return refcounts.isEmpty()
          && refcountTable.isEmpty()
          && l2.isEmpty()
          && l1.isEmpty()
          && dropped.isEmpty();
    }
  }

  /** Copies everything first: if there is no memory for that, all of it is still dirty. */
  private Snapshot takeSnapshot() {
    metadata.lock().lock();
    try {
      DirtySlices refcounts = metadata.refcountCache().copyDirty();
      RootTable.Dirty refcountTable = metadata.refcountTable().copyDirty();
      DirtySlices l2 = metadata.l2Cache().copyDirty();
      RootTable.Dirty l1 = metadata.l1().copyDirty();
      Snapshot snapshot = new Snapshot(refcounts, refcountTable, l2, l1, freed.takeFresh());
      refcounts.commit();
      refcountTable.commit();
      l2.commit();
      l1.commit();
      return snapshot;
    } finally {
      metadata.lock().unlock();
    }
  }

  private void finish(Snapshot snapshot, boolean written) {
    metadata.lock().lock();
    try {
      if (written) {
        freed.becameDurable(snapshot.dropped);
      } else {
        snapshot.refcounts.markDirtyAgain();
        snapshot.refcountTable.markDirtyAgain();
        snapshot.l2.markDirtyAgain();
        snapshot.l1.markDirtyAgain();
        freed.putBack(snapshot.dropped);
      }
    } finally {
      metadata.lock().unlock();
    }
    snapshot.refcounts.release();
    snapshot.l2.release();
  }
}
