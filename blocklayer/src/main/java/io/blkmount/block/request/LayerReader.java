// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.request;

import io.blkmount.block.bytes.Alignment;
import io.blkmount.block.bytes.BouncePool;
import io.blkmount.block.driver.DriverInstance;
import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * Reads one layer at any alignment: whole blocks go straight to the target, the rest through a
 * borrowed buffer. The last block of a file whose length is no multiple of the alignment is read
 * whole; what lies past the end is left out.
 */
final class LayerReader {
  /** A request whose blocks fit in here is one driver call, although it is copied then. */
  static final int ONE_CALL_LENGTH = 64 << 10;

  private final DriverInstance instance;
  private final int alignment;
  private final int maxTransfer;

  LayerReader(DriverInstance instance) {
    this.instance = instance;
    this.alignment = instance.limits().requestAlignment();
    this.maxTransfer = instance.limits().maxTransfer();
  }

  /**
   * Reads the start of a range, as {@code DriverInstance.readLayer} does.
   *
   * @param offset in bytes, any alignment
   * @param target where to, from its position on
   * @param count in bytes, at least 1, inside the disk
   * @return n &gt; 0 when n bytes were read, n &lt; 0 when the first -n bytes are not in this layer
   */
  long read(long offset, ByteBuffer target, int count) throws IOException {
    if (!Alignment.isAligned(offset, alignment) || count < alignment) {
      return readBounced(offset, target, count);
    }
    int whole = (int) Alignment.down(count, alignment);
    return readDirect(offset, target, Math.min(whole, maxTransfer));
  }

  private long readDirect(long offset, ByteBuffer target, int count) throws IOException {
    int limit = target.limit();
    target.limit(target.position() + count);
    try {
      return instance.readLayer(offset, target);
    } finally {
      target.limit(limit);
    }
  }

  private long readBounced(long offset, ByteBuffer target, int count) throws IOException {
    long start = Alignment.down(offset, alignment);
    long blocks = Alignment.up(offset + count, alignment) - start;
    boolean oneCall = blocks <= Math.min(ONE_CALL_LENGTH, maxTransfer);
    try (BouncePool.Bounce bounce = BouncePool.take(oneCall ? (int) blocks : alignment)) {
      ByteBuffer buffer = bounce.buffer();
      long run = instance.readLayer(start, buffer);
      int count0 = Math.toIntExact(Math.min(Math.abs(run) - (offset - start), count));
      if (count0 <= 0) {
        throw new IllegalStateException("driver read a run of " + run + ", not of whole blocks");
      }
      if (run < 0) {
        return -count0;
      }
      target.put(buffer.slice((int) (offset - start), count0));
      return count0;
    }
  }
}
