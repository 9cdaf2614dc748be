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

  EntryChanges(
      Metadata metadata,
      ClusterLookup lookup,
      L2Tables l2Tables,
      FreedClusters freed,
      MetadataWriteback writeback) {
    this.metadata = metadata;
    this.geometry = metadata.geometry();
    this.lookup = lookup;
    this.l2Tables = l2Tables;
    this.freed = freed;
    this.writeback = writeback;
  }

  /** What becomes of an entry; returns the same entry to leave it. */
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
      long end = Math.min(guestEnd, geometry.sliceSpanEnd(at));
      if (run.kind() == L2Entry.Kind.UNALLOCATED && !changesUnallocated) {
        end = at + run.length();
      } else {
        applyInSlice(at, end, change);
      }
      at = end;
    }
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
    holes.punch();
  }

  private void applyTo(Slice slice, long guestOffset, Change change, DataHoles holes)
      throws CorruptImageException {
    int index = geometry.indexInSlice(guestOffset);
    long before = slice.entry(index);
    L2Entry.Kind kind = metadata.kind(before);
    long after = change.apply(before, kind, guestOffset);
    if (after != before) {
      lookup.requireSound(before, kind, guestOffset);
      slice.setEntry(index, after);
      if (!L2Entry.hasHostCluster(metadata.kind(after))) {
        freed.addOf(before);
        if (L2Entry.hasHostCluster(kind)) {
          holes.add(L2Entry.hostOffset(before), geometry.clusterSize());
        }
      }
      metadata.l2Cache().markDirty(slice);
    }
  }
}
