// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.crypto;

import java.io.IOException;
import java.nio.ByteBuffer;

/** Where a LUKS header and its key material are stored. Offsets are from the header's start. */
public interface HeaderArea {
  /**
   * Returns how many bytes may be read and written.
   *
   * @throws IOException if that cannot be found out
   */
  long length() throws IOException;

  /**
   * Reads.
   *
   * @param offset in bytes, any
   * @param target filled from position to limit, all inside the area
   * @throws IOException if the medium fails
   */
  void read(long offset, ByteBuffer target) throws IOException;

  /**
   * Writes.
   *
   * @param offset in bytes, any
   * @param source consumed from position to limit, all inside the area
   * @throws IOException if the medium fails
   */
  void write(long offset, ByteBuffer source) throws IOException;

  /**
   * Makes durable what was written.
   *
   * @throws IOException if the medium fails
   */
  void flush() throws IOException;
}
