// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import io.blkmount.block.bytes.BouncePool;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;

/** Off-heap memory for slices, taken from the system in larger pieces as it is needed. */
final class SliceMemory {
  /** How much is taken at once: enough that a system call is rare, little for a small image. */
  private static final int CHUNK = 64 << 10;

  private final int sliceSize;

  @GuardedBy("this")
  private final ArrayDeque<ByteBuffer> idle = new ArrayDeque<>();

  SliceMemory(int sliceSize) {
    this.sliceSize = sliceSize;
  }

  synchronized ByteBuffer take() {
    if (idle.isEmpty()) {
      ByteBuffer chunk = BouncePool.allocate(CHUNK);
      for (int at = 0; at < CHUNK; at += sliceSize) {
        idle.add(chunk.slice(at, sliceSize));
      }
    }
    return idle.removeLast();
  }

  synchronized void giveBack(ByteBuffer buffer) {
    idle.add(buffer);
  }
}
