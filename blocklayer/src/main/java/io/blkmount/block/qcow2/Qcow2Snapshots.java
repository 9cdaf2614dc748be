// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.bytes.ByteRange;
import io.blkmount.block.bytes.HostName;
import io.blkmount.block.driver.InternalSnapshot;
import io.blkmount.block.driver.NewSnapshot;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/**
 * Takes, applies and deletes internal snapshots. Stands for {@code qcow2_snapshot_create()} and its
 * kin, but all tables change at once: see {@link NextTables}.
 */
final class Qcow2Snapshots {
  /** QEMU's: its buffer for a name, without the closing NUL. */
  private static final int MAX_NAME = 255;

  private final Metadata metadata;
  private final Refcounts refcounts;
  private final ClusterAllocator allocator;
  private final FreedClusters freed;
  private final MetadataWriteback writeback;
  private final Qcow2Resizer resizer;
  private final VmState vmState;

  Qcow2Snapshots(
      Metadata metadata,
      Refcounts refcounts,
      ClusterAllocator allocator,
      FreedClusters freed,
      MetadataWriteback writeback,
      Qcow2Resizer resizer,
      VmState vmState) {
    this.metadata = metadata;
    this.refcounts = refcounts;
    this.allocator = allocator;
    this.freed = freed;
    this.writeback = writeback;
    this.resizer = resizer;
    this.vmState = vmState;
  }

  List<InternalSnapshot> list() throws IOException {
    return table().read().stream()
        .map(snapshot -> snapshot.toInternalSnapshot(metadata.length()))
        .toList();
  }

  private SnapshotTable table() {
    Qcow2Header now = metadata.header().withDisk(metadata.l1(), metadata.length());
    return new SnapshotTable(metadata.file().name(), metadata.file(), now);
  }

  /** Where the state of the machine is kept, past the disk, belongs to the new snapshot alone. */
  InternalSnapshot create(NewSnapshot snapshot) throws IOException {
    requireName(snapshot.name());
    requireVmState(snapshot.vmStateLength());
    Change change = new Change();
    try (NextTables next = change.next) {
      RootTable now = metadata.l1();
      RootTable kept = next.newL1(now.entryCount());
      RootTable active = next.newL1(now.entryCount());
      long diskEntries = metadata.geometry().l1EntriesFor(metadata.length());
      for (int i = 0; i < now.entryCount(); i++) {
        boolean isDisk = i < diskEntries;
        long entry = isDisk ? next.share(now.entry(i)) : L1Entry.l2Offset(now.entry(i));
        kept.set(i, entry);
        active.set(i, isDisk ? entry : 0);
      }
      next.write(kept);
      SnapshotRecord record =
          SnapshotRecord.of(kept, SnapshotIds.next(change.snapshots), snapshot, metadata.length());
      change.snapshots.add(record);
      change.finish(active, metadata.length());
      return record.toInternalSnapshot(metadata.length());
    }
  }

  private static void requireName(String name) throws BlockException {
    int length = HostName.encode(name).length;
    if (length > MAX_NAME) {
      throw new BlockException(
          BlockError.NAME_TOO_LONG,
          "the snapshot's name has " + length + " bytes, at most " + MAX_NAME + " are allowed");
    }
    if (name.indexOf('\0') >= 0) {
      throw new BlockException(BlockError.INVALID, "a snapshot's name has no NUL in it");
    }
  }

  private void requireVmState(long length) throws BlockException {
    if (length < 0 || length > vmState.mappedLength()) {
      throw new BlockException(
          BlockError.INVALID,
          "the state of the machine has "
              + length
              + " bytes, at most "
              + vmState.mappedLength()
              + " were saved");
    }
  }

  /** Counts go down before they go up: in between a cluster may be shared by one more. */
  void apply(String idOrName) throws IOException {
    Change change = new Change();
    try (NextTables next = change.next) {
      Qcow2Header applied = table().headerOf(table().find(change.snapshots, idOrName));
      metadata.data().requireWholeSectors(applied.length());
      if (applied.length() != metadata.length()) {
        resizer.requireSnapshotsKeepLength();
      }
      RootTable now = metadata.l1();
      RootTable its =
          RootTable.read(metadata.file(), applied.l1TableOffset(), applied.l1EntryCount());
      next.countAll(now, -1);
      next.countAll(its, 1);
      RootTable active = next.newL1(Math.max(now.entryCount(), its.entryCount()));
      own(next, its, active);
      change.finish(active, applied.length());
    }
  }

  private static void own(NextTables next, RootTable from, RootTable active) throws IOException {
    for (int i = 0; i < from.entryCount(); i++) {
      active.set(i, next.own(from.entry(i)));
    }
  }

  void delete(String idOrName) throws IOException {
    Change change = new Change();
    try (NextTables next = change.next) {
      SnapshotRecord gone = table().find(change.snapshots, idOrName);
      change.snapshots.remove(gone);
      next.countAll(RootTable.read(metadata.file(), gone.l1TableOffset(), gone.l1EntryCount()), -1);
      next.release(gone.l1TableOffset(), gone.l1ByteCount());
      RootTable active = next.newL1(metadata.l1().entryCount());
      own(next, metadata.l1(), active);
      change.finish(active, metadata.length());
    }
  }

  /** One change, from the image as it is on the disk to the switch. */
  private final class Change {
    final List<SnapshotRecord> snapshots;
    final NextTables next;
    private final int tableBytes;

    Change() throws IOException {
      if (metadata.header().hasIncompatible(FeatureBits.EXTERNAL_DATA_FILE)) {
        throw new BlockException(
            BlockError.NOT_SUPPORTED, "an image with a data file has no internal snapshots");
      }
      writeback.freeDropped();
      writeback.flush();
      snapshots = new ArrayList<>();
      tableBytes = table().forEach(snapshots::add);
      next = new NextTables(metadata, refcounts, allocator, freed);
    }

    void finish(RootTable active, long length) throws IOException {
      Qcow2Header header = metadata.header();
      ByteBuffer table = SnapshotTable.encode(snapshots);
      int newTableBytes = table.remaining();
      long tableOffset = next.write(table);
      next.release(header.snapshotTableOffset(), tableBytes);
      next.write(active);
      SnapshotGuard.Tables guarded = findTables(); // nothing can fail behind the switch
      Qcow2Header changed = header.withSnapshots(snapshots.size(), tableOffset);
      next.switchTo(active, changed.withDisk(active, length));
      OverlapGuard.Area area = OverlapGuard.Area.SNAPSHOT_TABLE;
      metadata.guard().remove(header.snapshotTableOffset(), tableBytes, area);
      metadata.guard().add(tableOffset, newTableBytes, area);
      metadata.guard().snapshotTables(guarded);
      next.punchFreed();
    }

    private SnapshotGuard.Tables findTables() throws IOException {
      List<ByteRange> l1Tables =
          snapshots.stream()
              .map(snapshot -> new ByteRange(snapshot.l1TableOffset(), snapshot.l1ByteCount()))
              .toList();
      return SnapshotGuard.find(metadata, l1Tables);
    }
  }
}
