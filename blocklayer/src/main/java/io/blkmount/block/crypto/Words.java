// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.crypto;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/** Arrays of bytes taken eight at a time. */
final class Words {
  private static final VarHandle LITTLE =
      MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);
  private static final VarHandle BIG =
      MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.BIG_ENDIAN);

  private Words() {}

  static long little(byte[] bytes, int offset) {
    return (long) LITTLE.get(bytes, offset);
  }

  static void putLittle(byte[] bytes, int offset, long value) {
    LITTLE.set(bytes, offset, value);
  }

  static long big(byte[] bytes, int offset) {
    return (long) BIG.get(bytes, offset);
  }

  static void putBig(byte[] bytes, int offset, long value) {
    BIG.set(bytes, offset, value);
  }

  /** Mixes {@code length} bytes, a multiple of 8, of {@code mask} into {@code target}. */
  static void xor(byte[] target, int targetOffset, byte[] mask, int maskOffset, int length) {
    for (int i = 0; i < length; i += Long.BYTES) {
      long mixed = little(target, targetOffset + i) ^ little(mask, maskOffset + i);
      putLittle(target, targetOffset + i, mixed);
    }
  }
}
