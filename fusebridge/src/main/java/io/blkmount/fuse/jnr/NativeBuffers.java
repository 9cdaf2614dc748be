// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse.jnr;

import com.kenai.jffi.MemoryIO;
import java.nio.ByteBuffer;
import jnr.ffi.Pointer;

/** Memory of libfuse as buffers, without a copy. */
final class NativeBuffers {
  private static final MemoryIO MEMORY = MemoryIO.getInstance();

  private NativeBuffers() {}

  /**
   * Returns a buffer over {@code length} bytes. It must not outlive the upcall that the memory came
   * with: libfuse frees or reuses it.
   */
  static ByteBuffer over(Pointer memory, long length) {
    return MEMORY.newDirectByteBuffer(memory.address(), Math.toIntExact(length));
  }
}
