// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.driver;

import java.nio.ByteBuffer;

/**
 * What format probing looks at.
 *
 * @param name the file's name, as given
 * @param start the first bytes of the file, at most 2 KiB, read-only
 * @param isDevice whether it is a host device
 */
public record ProbeInput(String name, ByteBuffer start, boolean isDevice) {
  /**
   * How many bytes are read for a probe (QEMU's {@code BLOCK_PROBE_BUF_SIZE} is 512; more helps).
   */
  public static final int LENGTH = 2048;
}
