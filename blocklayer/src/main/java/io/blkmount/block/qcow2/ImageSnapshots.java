// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.driver.InternalSnapshot;
import io.blkmount.block.driver.NewSnapshot;
import io.blkmount.block.driver.Snapshottable;
import java.io.IOException;
import java.util.List;

/** The internal snapshots of an open image, which may have bitmaps and may turn out damaged. */
final class ImageSnapshots implements Snapshottable {
  private final Qcow2Snapshots snapshots;
  private final ImageChanges changes;
  private final Qcow2Bitmaps bitmaps;

  ImageSnapshots(Qcow2Snapshots snapshots, ImageChanges changes, Qcow2Bitmaps bitmaps) {
    this.snapshots = snapshots;
    this.changes = changes;
    this.bitmaps = bitmaps;
  }

  @Override
  public List<InternalSnapshot> snapshots() throws IOException {
    return snapshots.list();
  }

  @Override
  public InternalSnapshot createSnapshot(NewSnapshot snapshot) throws IOException {
    return changes.reorganize(() -> snapshots.create(snapshot));
  }

  @Override
  public void applySnapshot(String idOrName) throws IOException {
    changes.reorganize(
        () -> {
          bitmaps.requireNone("go back to a snapshot");
          snapshots.apply(idOrName);
          return true;
        });
  }

  @Override
  public void deleteSnapshot(String idOrName) throws IOException {
    changes.reorganize(
        () -> {
          snapshots.delete(idOrName);
          return true;
        });
  }
}
