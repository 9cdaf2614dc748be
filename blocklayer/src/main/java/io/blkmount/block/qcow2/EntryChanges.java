// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.error.CorruptImageException;
import java.io.IOException;

/**
 * Changes L2 entries without moving data: whole clusters become zeros or lose their host clusters.
 * The caller's request is serialising, so that no write to these clusters is in flight.
 */
final class EntryChanges {
  private final Metadata metadata;
  private final ClusterGeometry geometry;
  private final ClusterLookup lookup;
  private final L2Tables l2Tables;
  private final FreedClusters freed;
  private final MetadataWriteback writeback;
  private final DiscardReason reason;

  /**
   * Creates what changes entries.
   *
   * @param reason why host clusters are dropped
   */
  EntryChanges(
      Metadata metadata,
      ClusterLookup lookup,
      L2Tables l2Tables,
      FreedClusters freed,
      MetadataWriteback writeback,
      DiscardReason reason) {
    this.metadata = metadata;
    this.geometry = metadata.geometry();
    this.lookup = lookup;
    this.l2Tables = l2Tables;
    this.freed = freed;
    this.writeback = writeback;
    this.reason = reason;
  }

  /**
   * What becomes of an entry; returns the same entry to leave it. Both are standard entries that
   * say of the cluster as a whole what is in the table.
   */
  interface Change {
    long apply(long entry, L2Entry.Kind kind, long guestOffset);
  }

  /**
   * Applies a change to every cluster of a range.
   *
   * @param guestOffset aligned to clusters
   * @param guestEnd aligned to clusters
   * @param changesUnallocated whether clusters without an L2 table have to be changed too, which
   *     makes one
   * @throws IOException if a table cannot be read or made; clusters before may have changed
   */
  void apply(long guestOffset, long guestEnd, boolean changesUnallocated, Change change)
      throws IOException {
    for (long at = guestOffset; at < guestEnd; ) {
      writeback.runIfDue();
      ClusterRun run = lookup.find(at, guestEnd - at);
      long end = isLeft(run, changesUnallocated, change) ? wholeEnd(run) : at;
      if (end == at) {
        end = Math.min(guestEnd, geometry.sliceSpanEnd(at));
        applyInSlice(at, end, change);
      }
      at = end;
    }
  }

  /**
   * Returns whether nothing becomes of a run: then no table is made, nor copied from a snapshot.
   */
  private static boolean isLeft(ClusterRun run, boolean changesUnallocated, Change change) {
    if (run.hasHostCluster()) {
      return false;
    }
    return switch (run.kind()) {
      case UNALLOCATED -> !changesUnallocated;
      case ZERO_PLAIN ->
          change.apply(L2Entry.ZERO_ENTRY, L2Entry.Kind.ZERO_PLAIN, run.guestOffset())
              == L2Entry.ZERO_ENTRY;
      default -> false;
    };
  }

  /** Returns where the whole clusters of a run end. */
  private long wholeEnd(ClusterRun run) {
    return geometry.clusterStart(run.guestOffset() + run.length());
  }

  private void applyInSlice(long guestOffset, long guestEnd, Change change) throws IOException {
    DataHoles holes = new DataHoles(metadata.data());
    try (Slice slice = l2Tables.pinForChange(guestOffset)) {
      metadata.lock().lock();
      try {
        for (long at = guestOffset; at < guestEnd; at += geometry.clusterSize()) {
          applyTo(slice, at, change, holes);
        }
      } finally {
        metadata.lock().unlock();
      }
    }
    if (metadata.discards().passes(reason) && !holes.isEmpty()) {
      settleForHoles();
      holes.punch();
    }
  }

  /**
   * Prepares for holes where entries still lead to on the disk: after a power cut these show zeros,
   * or where it is encrypted garbage, unless the entries are gone durably.
   */
  void settleForHoles() throws IOException {
    if (metadata.data().isEncrypted()) {
      writeback.flush();
    }
  }

  private void applyTo(Slice slice, long guestOffset, Change change, DataHoles holes)
      throws CorruptImageException {
    int index = geometry.indexInSlice(guestOffset);
    long before = metadata.l2Entries().wholeCluster(slice, index);
    L2Entry.Kind kind = metadata.kind(before);
    long after = change.apply(before, kind, guestOffset);
    if (after != before) {
      metadata.l2Entries().requireSound(before, kind, guestOffset);
      metadata.l2Entries().setWholeCluster(slice, index, after);
      if (!L2Entry.hasHostCluster(metadata.kind(after))) {
        freed.addOf(before, reason);
        if (L2Entry.hasHostCluster(kind)) {
          holes.add(L2Entry.hostOffset(before), geometry.clusterSize());
        }
      }
      metadata.l2Cache().markDirty(slice);
    }
  }

  /**
   * Makes whole subclusters of one cluster, which is not compressed, read as zeros.
   *
   * @param start guest offset of the first
   * @param end one past the last
   * @param alsoUnallocated whether those have to change that are in no way in this image
   * @throws IOException as above; nothing has changed then
   */
  void zeroPart(long start, long end, boolean alsoUnallocated) throws IOException {
    writeback.runIfDue();
    ClusterRun run = lookup.find(start, end - start);
    if (!alsoUnallocated && run.kind() == L2Entry.Kind.UNALLOCATED && run.length() == end - start) {
      return; // without a table, perhaps
    }
    try (Slice slice = l2Tables.pinForChange(start)) {
      metadata.lock().lock();
      try {
        if (metadata.l2Entries().zeroPart(slice, start, end, alsoUnallocated)) {
          metadata.l2Cache().markDirty(slice);
        }
      } finally {
        metadata.lock().unlock();
      }
    }
  }
}
