// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.bytes.BouncePool;
import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.error.CorruptImageException;
import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * The tables of an image as they will be after a change that touches all of them. They are made
 * aside, in clusters that are free, and one write of the header puts all of them in force: the
 * fields for the disk's length, the L1 table, the refcount table and the snapshot table are
 * neighbours in one sector. Until then nothing has changed; a failure or a power cut leaves not
 * even a leak.
 *
 * <pre>
 * header | length | L1 | refcount table | snapshots |        one write of one sector
 *                  |           |              '--> new snapshot table
 *                  |           '--> new refcount table --> blocks, new where they differ
 *                  '--> new L1 table --> L2 tables, new where COPIED differs
 * </pre>
 *
 * <p>Nobody uses the image meanwhile, and all metadata is on the disk when it begins.
 */
final class NextTables implements AutoCloseable {
  private final Metadata metadata;
  private final ClusterAllocator allocator;
  private final FreedClusters freed;
  private final NextRefcounts refcounts;
  private final int entryStep;

  /** The L2 table that is looked at. */
  private final BouncePool.Bounce bounce;

  private final ByteBuffer l2;

  NextTables(
      Metadata metadata, Refcounts current, ClusterAllocator allocator, FreedClusters freed) {
    this.metadata = metadata;
    this.allocator = allocator;
    this.freed = freed;
    this.refcounts = new NextRefcounts(metadata, current, allocator.space());
    this.entryStep = metadata.geometry().clusterSize() / metadata.geometry().entriesPerL2();
    this.bounce = BouncePool.take(metadata.geometry().clusterSize());
    this.l2 = bounce.buffer();
  }

  /** Returns a new table of zeros in a new place. */
  RootTable newL1(int entryCount) throws IOException {
    long bytes = (long) entryCount * Long.BYTES;
    return new RootTable(
        refcounts.take((int) metadata.geometry().clustersTouched(0, bytes)), entryCount);
  }

  /** Adds or takes away one reference to everything that an L1 table refers to. */
  void countAll(RootTable l1, int delta) throws IOException {
    for (int i = 0; i < l1.entryCount(); i++) {
      if (readL2(l1.entry(i))) {
        refcounts.add(clusterOf(L1Entry.l2Offset(l1.entry(i))), delta);
        countEntries(delta);
      }
    }
  }

  /**
   * Lets two L1 tables have what one has. Of a table that may be written to they get a copy that
   * may not, since its clusters are shared from then on.
   *
   * @param l1Entry of the one
   * @return the entry of both
   */
  long share(long l1Entry) throws IOException {
    if (!readL2(l1Entry)) {
      return 0;
    }
    long l2Offset = L1Entry.l2Offset(l1Entry);
    if (clearCopied()) {
      refcounts.add(clusterOf(l2Offset), -1);
      l2Offset = writeL2();
    }
    refcounts.add(clusterOf(l2Offset), 1);
    countEntries(1);
    return l2Offset;
  }

  /**
   * Makes the flags of a table right for a disk that is written to. Everything that it refers to
   * has its final count.
   *
   * @param l1Entry of the active L1 table
   * @return the entry to put in its place: another one if the table had to be copied
   */
  long own(long l1Entry) throws IOException {
    if (!readL2(l1Entry)) {
      return 0;
    }
    long l2Offset = L1Entry.l2Offset(l1Entry);
    if (correctCopied()) {
      refcounts.add(clusterOf(l2Offset), -1);
      return L1Entry.of(writeL2());
    }
    return refcounts.count(clusterOf(l2Offset)) == 1 ? L1Entry.of(l2Offset) : l2Offset;
  }

  /** Reads the L2 table of an entry; returns whether there is one. */
  private boolean readL2(long l1Entry) throws IOException {
    long l2Offset = L1Entry.l2Offset(l1Entry);
    if (l2Offset == 0) {
      return false;
    }
    if (!metadata.geometry().isClusterAligned(l2Offset)) {
      throw new CorruptImageException(
          "L2 table",
          l2Offset,
          "not a multiple of the cluster size " + metadata.geometry().clusterSize());
    }
    metadata.requireInFile("L2 table", l2Offset);
    metadata.file().read(l2Offset, l2.clear());
    return true;
  }

  /** Writes the table that was read and changed to a new place, with one reference. */
  private long writeL2() throws IOException {
    long hostOffset = refcounts.take(1);
    metadata.file().write(hostOffset, l2.clear(), WriteFlags.NONE);
    return hostOffset;
  }

  private void countEntries(int delta) throws IOException {
    for (int at = 0; at < l2.capacity(); at += entryStep) {
      long entry = l2.getLong(at);
      if (L2Entry.isCompressed(entry)) {
        countCompressed(entry, delta);
      } else if (L2Entry.hostOffset(entry) != 0) {
        refcounts.add(dataCluster(entry), delta);
      }
    }
  }

  private void countCompressed(long entry, int delta) throws IOException {
    CompressedCluster data = CompressedCluster.decode(entry, metadata.geometry().clusterBits());
    long first = clusterOf(data.hostOffset());
    long end = first + metadata.geometry().clustersTouched(data.hostOffset(), data.lengthBytes());
    for (long cluster = first; cluster < end; cluster++) {
      refcounts.add(cluster, delta);
    }
  }

  private boolean clearCopied() {
    boolean changed = false;
    for (int at = 0; at < l2.capacity(); at += entryStep) {
      long entry = l2.getLong(at);
      if (L2Entry.isCopied(entry)) {
        l2.putLong(at, L2Entry.withCopied(entry, false));
        changed = true;
      }
    }
    return changed;
  }

  private boolean correctCopied() throws IOException {
    boolean changed = false;
    for (int at = 0; at < l2.capacity(); at += entryStep) {
      long entry = l2.getLong(at);
      if (L2Entry.hostOffset(entry) != 0 && !L2Entry.isCompressed(entry)) {
        boolean single = refcounts.count(dataCluster(entry)) == 1;
        if (single != L2Entry.isCopied(entry)) {
          l2.putLong(at, L2Entry.withCopied(entry, single));
          changed = true;
        }
      }
    }
    return changed;
  }

  private long dataCluster(long entry) throws CorruptImageException {
    long hostOffset = L2Entry.hostOffset(entry);
    if (!metadata.geometry().isClusterAligned(hostOffset)) {
      throw new CorruptImageException(
          "data cluster",
          hostOffset,
          "not a multiple of the cluster size " + metadata.geometry().clusterSize());
    }
    return clusterOf(hostOffset);
  }

  private long clusterOf(long hostOffset) {
    return hostOffset >> metadata.geometry().clusterBits();
  }

  /** Says that an area of the file will not be needed. */
  void release(long hostOffset, long length) throws IOException {
    refcounts.release(hostOffset, length);
  }

  /** Writes an L1 table to its place. */
  void write(RootTable l1) throws IOException {
    if (l1.entryCount() > 0) {
      int padded = (int) metadata.geometry().clusterEnd(l1.byteCount());
      metadata.file().write(l1.hostOffset(), l1.padded(padded), WriteFlags.NONE);
    }
    l1.takeDirty(); // it is in the file as it is
  }

  /**
   * Writes bytes to a new place.
   *
   * @param bytes from position to limit
   * @return host offset; 0 if there are none
   */
  long write(ByteBuffer bytes) throws IOException {
    int clusters = (int) metadata.geometry().clustersTouched(0, bytes.remaining());
    long hostOffset = refcounts.take(clusters);
    if (clusters > 0) {
      ByteBuffer padded = BouncePool.allocate(clusters << metadata.geometry().clusterBits());
      padded.put(bytes);
      metadata.file().write(hostOffset, padded.rewind(), WriteFlags.NONE);
    }
    return hostOffset;
  }

  /**
   * Puts all tables in force.
   *
   * @param l1 the active L1 table, written
   * @param next the header with the disk's length and the snapshot table
   * @throws IOException if it failed; nothing has changed then
   * @throws HeaderFields.UndecidedException if nobody knows whether it has
   */
  void switchTo(RootTable l1, Qcow2Header next) throws IOException {
    RootTable oldL1 = metadata.l1();
    RootTable oldRefcounts = metadata.refcountTable();
    metadata.l2Cache().clear();
    metadata.refcountCache().clear();
    metadata.decompressed().clear();
    refcounts.release(oldL1.hostOffset(), oldL1.byteCount());
    RootTable table = refcounts.write();
    metadata.file().flush();
    Qcow2Header before = metadata.header().withDisk(oldL1, metadata.length());
    new HeaderFields(metadata)
        .switchTables(
            before.withRefcountTable(oldRefcounts),
            next.withDisk(l1, next.length()).withRefcountTable(table));
    adopt(l1, table, next);
    moveGuard(oldL1, l1);
    refcounts.moveGuard(metadata.guard(), oldRefcounts, table);
  }

  /**
   * Gives the space of what is free now back, when the guard knows where all metadata is.
   *
   * @throws CorruptImageException if metadata would go with it; the new tables are in force
   */
  void punchFreed() throws CorruptImageException {
    if (metadata.discards().passes(DiscardReason.SNAPSHOT)) {
      refcounts.punchFreed(freed);
    }
  }

  private void adopt(RootTable l1, RootTable refcountTable, Qcow2Header header) {
    metadata.lock().lock();
    try {
      metadata.l1(l1);
      metadata.refcountTable(refcountTable);
      metadata.header(header);
      metadata.length(header.length());
      metadata.compressedTail().leave(0, Long.MAX_VALUE); // it may be free now
    } finally {
      metadata.lock().unlock();
    }
    allocator.startOver();
  }

  private void moveGuard(RootTable oldL1, RootTable l1) {
    OverlapGuard guard = metadata.guard();
    int clusterSize = metadata.geometry().clusterSize();
    for (int i = 0; i < oldL1.entryCount(); i++) {
      long l2Offset = L1Entry.l2Offset(oldL1.entry(i));
      if (l2Offset != 0) {
        guard.remove(l2Offset, clusterSize, OverlapGuard.Area.L2_TABLE);
      }
    }
    guard.remove(oldL1.hostOffset(), oldL1.byteCount(), OverlapGuard.Area.L1_TABLE);
    guard.add(l1.hostOffset(), l1.byteCount(), OverlapGuard.Area.L1_TABLE);
    for (int i = 0; i < l1.entryCount(); i++) {
      long l2Offset = L1Entry.l2Offset(l1.entry(i));
      if (l2Offset != 0) {
        guard.add(l2Offset, clusterSize, OverlapGuard.Area.L2_TABLE);
      }
    }
  }

  @Override
  public void close() {
    bounce.close();
  }
}
