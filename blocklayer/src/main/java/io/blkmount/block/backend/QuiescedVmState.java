// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.backend;

import io.blkmount.block.driver.VmStateStore;
import io.blkmount.block.request.RequestPipeline;
import java.io.IOException;
import java.nio.ByteBuffer;

/** The state of a machine in an open disk, whose requests wait while it is written or read. */
final class QuiescedVmState implements VmStateStore {
  private final QuiesceGate gate;
  private final RequestPipeline top;
  private final VmStateStore image;

  QuiescedVmState(QuiesceGate gate, RequestPipeline top, VmStateStore image) {
    this.gate = gate;
    this.top = top;
    this.image = image;
  }

  @Override
  public void writeVmState(long position, ByteBuffer source) throws IOException {
    try (QuiesceGate.Pass pass = gate.enterAlone()) {
      top.drain();
      image.writeVmState(position, source);
    }
  }

  @Override
  public void readVmState(long position, ByteBuffer target) throws IOException {
    try (QuiesceGate.Pass pass = gate.enterAlone()) {
      top.drain();
      image.readVmState(position, target);
    }
  }
}
