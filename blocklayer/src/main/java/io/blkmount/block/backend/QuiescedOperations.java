// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.backend;

import io.blkmount.block.bytes.HostName;
import io.blkmount.block.driver.BitmapKeeper;
import io.blkmount.block.driver.BitmapStore;
import io.blkmount.block.driver.Snapshottable;
import io.blkmount.block.driver.VmStateStore;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import io.blkmount.block.request.RequestPipeline;

/** What the top image of an open disk can do beside requests, if its format can. */
final class QuiescedOperations {
  private final QuiesceGate gate;
  private final RequestPipeline top;
  private final BackendOptions options;
  private final ModificationTime modified;
  private final String name;

  QuiescedOperations(
      QuiesceGate gate, RequestPipeline top, BackendOptions options, ModificationTime modified) {
    this.gate = gate;
    this.top = top;
    this.options = options;
    this.modified = modified;
    this.name = HostName.printable(options.imageName());
  }

  Snapshottable snapshots() throws BlockException {
    if (top.instance() instanceof Snapshottable image) {
      return new QuiescedSnapshots(gate, top, image, modified);
    }
    throw unsupported(name, "has no internal snapshots");
  }

  VmStateStore vmState() throws BlockException {
    if (top.instance() instanceof VmStateStore image) {
      return new QuiescedVmState(gate, top, image);
    }
    throw unsupported(name, "keeps no state of a machine");
  }

  BitmapStore bitmaps() throws BlockException {
    if (top.instance() instanceof BitmapKeeper keeper) {
      return keeper.bitmapStore();
    }
    throw unsupported('"' + name + '"', "keeps no bitmaps");
  }

  private BlockException unsupported(String name, String lack) {
    return new BlockException(
        BlockError.NOT_SUPPORTED, name + ": format " + options.format() + " " + lack);
  }
}
