// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.driver.ChildOpener;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/**
 * Host clusters that stay with their guest clusters when these are discarded, so that the file does
 * not fragment; their space goes back all the same, if discards are passed on. What is read there
 * is zeros before and after.
 */
final class KeptClusters {
  private final boolean isOn;
  private final Metadata metadata;
  private final EntryChanges changes;
  private final List<long[]> runs = new ArrayList<>();

  /**
   * Creates an empty list.
   *
   * @param isOn whether anything is noted at all
   * @param changes what changes the entries
   */
  KeptClusters(boolean isOn, Metadata metadata, EntryChanges changes) {
    this.isOn = isOn;
    this.metadata = metadata;
    this.changes = changes;
  }

  /** Notes the host cluster of an entry that keeps it; returns the new entry. */
  long note(long before, long after) {
    if (isOn && before != after && metadata.kind(after) == L2Entry.Kind.ZERO_ALLOCATED) {
      add(L2Entry.hostOffset(after));
    }
    return after;
  }

  private void add(long hostOffset) {
    int clusterSize = metadata.geometry().clusterSize();
    long[] last = runs.isEmpty() ? null : runs.get(runs.size() - 1);
    if (last != null && last[0] + last[1] == hostOffset) {
      last[1] += clusterSize;
    } else {
      runs.add(new long[] {hostOffset, clusterSize});
    }
  }

  /** Gives the space back, while the request keeps writes away from these clusters. */
  void discard() throws IOException {
    if (metadata.discards().request() && !runs.isEmpty()) {
      changes.settleForHoles();
      for (long[] run : runs) {
        discard(run[0], run[1]);
      }
    }
  }

  /** A data file ends where the disk does, which may be inside the last cluster. */
  private void discard(long hostOffset, long length) throws IOException {
    ChildOpener.Child file = metadata.data().file();
    long inside = Math.min(length, file.length() - hostOffset);
    if (inside > 0) {
      file.discard(hostOffset, inside);
    }
  }
}
