// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse.jnr;

import jnr.ffi.Memory;
import jnr.ffi.Pointer;
import jnr.ffi.Runtime;

/**
 * Memory for one request, placed so that the data of a write begins on a page: it can go to an
 * image that is opened with O_DIRECT without a copy.
 *
 * <pre>
 *   page - 80   fuse_in_header   40 bytes
 *   page - 40   fuse_write_in    40 bytes
 *   page        data
 * </pre>
 */
final class RequestBuffer {
  private static final int PAGE = 4096;
  private static final int BYTES_BEFORE_DATA = 80;

  private final Pointer block;
  private final Pointer memory;
  private final int size;

  RequestBuffer(Runtime runtime, int size) {
    this.block = Memory.allocateDirect(runtime, size + 2 * PAGE, false);
    long page = (block.address() + 2L * PAGE - 1) & -PAGE;
    this.memory = block.slice(page - BYTES_BEFORE_DATA - block.address(), size);
    this.size = size;
  }

  Pointer memory() {
    return memory;
  }

  int size() {
    return size;
  }
}
