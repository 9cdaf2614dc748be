// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.request;

import io.blkmount.block.driver.DriverInstance;
import io.blkmount.block.driver.WriteFlags;
import java.io.IOException;
import java.nio.ByteBuffer;

/** Hands aligned writes to the driver, no longer than it takes, with flags that it knows. */
final class TransferSplitter {
  private final DriverInstance instance;
  private final int maxTransfer;

  TransferSplitter(DriverInstance instance) {
    this.instance = instance;
    this.maxTransfer = instance.limits().maxTransfer();
  }

  /**
   * Writes whole blocks.
   *
   * @param offset aligned
   * @param source aligned length; consumed
   * @param flags what the driver does not know of them is left out
   */
  void write(long offset, ByteBuffer source, WriteFlags flags) throws IOException {
    WriteFlags known = flags.only(instance.support().writeFlags());
    if (source.remaining() <= maxTransfer) {
      writePiece(offset, source, known);
      return;
    }
    int start = source.position();
    while (source.hasRemaining()) {
      int count = Math.min(source.remaining(), maxTransfer);
      ByteBuffer piece = source.slice(source.position(), count);
      writePiece(offset + (source.position() - start), piece, known);
      source.position(source.position() + count);
    }
  }

  private void writePiece(long offset, ByteBuffer source, WriteFlags flags) throws IOException {
    instance.write(offset, source, flags);
    if (source.hasRemaining()) {
      throw new IllegalStateException(
          "driver left " + source.remaining() + " bytes of a write at " + offset);
    }
  }
}
