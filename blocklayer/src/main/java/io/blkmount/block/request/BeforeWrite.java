// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.request;

import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * May refuse a change before it is made. Called while the change is tracked, so it must not go
 * through the pipeline of the same node (it would wait for itself); the node's driver instance may
 * be read.
 */
public interface BeforeWrite {
  /**
   * Looks at a write.
   *
   * @param offset in bytes
   * @param source what will be written, position to limit; not consumed
   * @throws IOException to refuse it; nothing has changed then
   */
  void check(long offset, ByteBuffer source) throws IOException;

  /**
   * Looks at a zero request.
   *
   * @param offset in bytes
   * @param length in bytes
   * @throws IOException to refuse it; nothing has changed then
   */
  void checkZeroes(long offset, long length) throws IOException;

  /**
   * Returns how many bytes from the start of the disk are changed by one request at a time, so that
   * a check may rely on what it read there.
   */
  default long guardedLength() {
    return 0;
  }
}
