// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.file;

import io.blkmount.block.error.BlockException;
import java.nio.ByteBuffer;

/** Moves bytes between buffers and a host file. */
interface Transfer {
  /**
   * Reads until {@code target} is full or the file ends.
   *
   * @param offset in bytes
   * @param target what stays remaining lies past the end of the file
   */
  void read(long offset, ByteBuffer target) throws BlockException;

  /**
   * Writes all of {@code source}.
   *
   * @param offset in bytes
   * @param source from position to limit
   */
  void write(long offset, ByteBuffer source) throws BlockException;
}
