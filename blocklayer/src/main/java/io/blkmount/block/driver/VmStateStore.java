// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.driver;

import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * An image that can hold the state of a whole machine beside the disk. It is saved before a
 * snapshot is taken, which then keeps it ({@link NewSnapshot#vmStateLength}); it is there again
 * when that snapshot has been applied.
 */
public interface VmStateStore {
  /**
   * Saves a part of the state.
   *
   * @param position in the state, in bytes; any alignment, but whole sectors of 512 if the image is
   *     encrypted
   * @param source written from position to limit
   * @throws IOException with {@code TOO_BIG} if the image cannot map so much, {@code NO_SPACE},
   *     {@code NOT_SUPPORTED}
   */
  void writeVmState(long position, ByteBuffer source) throws IOException;

  /**
   * Loads a part of the state; what was not saved reads as zeros.
   *
   * @param position in the state, in bytes; any alignment, but whole sectors of 512 if the image is
   *     encrypted
   * @param target filled from position to limit
   * @throws IOException if it cannot be read
   */
  void readVmState(long position, ByteBuffer target) throws IOException;
}
