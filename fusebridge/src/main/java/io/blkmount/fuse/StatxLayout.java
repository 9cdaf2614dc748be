// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse;

import jnr.ffi.Memory;
import jnr.ffi.Pointer;
import jnr.ffi.Runtime;

/**
 * Reads {@code struct statx}, the same on every processor.
 *
 * <pre>
 *   28   2  mode
 *   40   8  size
 *  136   4  major number of the device that the file is on
 *  140   4  minor number
 *  256      end
 * </pre>
 */
final class StatxLayout {
  private static final int MODE = 28;
  private static final int SIZE = 40;
  private static final int DEVICE_MAJOR = 136;
  private static final int DEVICE_MINOR = 140;
  private static final int END = 256;

  private StatxLayout() {}

  static Pointer allocate(Runtime runtime) {
    return Memory.allocateDirect(runtime, END, true);
  }

  static HostCalls.Status read(Pointer statx) {
    return new HostCalls.Status(
        Short.toUnsignedInt(statx.getShort(MODE)),
        statx.getLongLong(SIZE),
        Integer.toUnsignedString(statx.getInt(DEVICE_MAJOR))
            + ":"
            + Integer.toUnsignedString(statx.getInt(DEVICE_MINOR)));
  }
}
