// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.backend;

import io.blkmount.block.driver.InternalSnapshot;
import io.blkmount.block.driver.NewSnapshot;
import io.blkmount.block.driver.Snapshottable;
import io.blkmount.block.request.RequestPipeline;
import java.io.IOException;
import java.util.List;

/** The internal snapshots of an open disk, whose requests wait while one is worked on. */
final class QuiescedSnapshots implements Snapshottable {
  private final QuiesceGate gate;
  private final RequestPipeline top;
  private final Snapshottable image;
  private final ModificationTime modified;

  QuiescedSnapshots(
      QuiesceGate gate, RequestPipeline top, Snapshottable image, ModificationTime modified) {
    this.gate = gate;
    this.top = top;
    this.image = image;
    this.modified = modified;
  }

  @Override
  public List<InternalSnapshot> snapshots() throws IOException {
    try (QuiesceGate.Pass pass = gate.enterAlone()) {
      return image.snapshots();
    }
  }

  @Override
  public InternalSnapshot createSnapshot(NewSnapshot snapshot) throws IOException {
    try (QuiesceGate.Pass pass = gate.enterAlone()) {
      top.drain();
      return image.createSnapshot(snapshot);
    }
  }

  @Override
  public void applySnapshot(String idOrName) throws IOException {
    try (QuiesceGate.Pass pass = gate.enterAlone()) {
      top.drain();
      try (ModificationTime.Change change = modified.change()) {
        image.applySnapshot(idOrName);
      }
    }
  }

  @Override
  public void deleteSnapshot(String idOrName) throws IOException {
    try (QuiesceGate.Pass pass = gate.enterAlone()) {
      top.drain();
      image.deleteSnapshot(idOrName);
    }
  }
}
