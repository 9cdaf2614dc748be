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
    long apply(long entry, L2Entry.Kind kind);
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
    try (Slice slice = l2Tables.pinForChange(guestOffset)) {
      int first = geometry.indexInSlice(guestOffset);
      int count = (int) ((guestEnd - guestOffset) >> geometry.clusterBits());
      metadata.lock().lock();
      try {
        for (int index = first; index < first + count; index++) {
          applyTo(slice, index, change);
        }
      } finally {
        metadata.lock().unlock();
      }
    }
  }

  private void applyTo(Slice slice, int index, Change change) throws CorruptImageException {
    long before = slice.entry(index);
    L2Entry.Kind kind = L2Entry.kind(before, metadata.isVersion3());
    long after = change.apply(before, kind);
    if (after != before) {
      lookup.requireSound(before, kind);
      slice.setEntry(index, after);
      if (L2Entry.hostOffset(after) == 0) {
        freed.addOf(before);
      }
      metadata.l2Cache().markDirty(slice);
    }
  }
}
