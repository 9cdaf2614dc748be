// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse;

import java.util.ArrayList;
import java.util.List;
import jnr.ffi.Memory;
import jnr.ffi.Pointer;
import jnr.ffi.Runtime;

/** Lists of strings as C has them: addresses of strings that end with NUL, then a null. */
public final class NativeStrings {
  private NativeStrings() {}

  /**
   * Returns a list in native memory, as {@code argv} is one; addresses and strings live as long as
   * the pointer does.
   *
   * @param runtime whose memory it is
   * @param strings without the closing NUL
   */
  public static Pointer vector(Runtime runtime, List<byte[]> strings) {
    int table = (strings.size() + 1) * runtime.addressSize();
    int text = strings.stream().mapToInt(s -> s.length + 1).sum();
    Pointer memory = Memory.allocateDirect(runtime, table + text, true);
    int position = table;
    for (int i = 0; i < strings.size(); i++) {
      byte[] string = strings.get(i);
      memory.putAddress((long) i * runtime.addressSize(), memory.address() + position);
      memory.put(position, string, 0, string.length);
      position += string.length + 1;
    }
    return memory;
  }

  /**
   * Returns copies of the strings of a list.
   *
   * @param vector the list
   */
  public static List<byte[]> read(Pointer vector) {
    List<byte[]> strings = new ArrayList<>();
    int addressSize = vector.getRuntime().addressSize();
    Pointer string = vector.getPointer(0);
    while (string != null) {
      strings.add(bytes(string));
      string = vector.getPointer((long) strings.size() * addressSize);
    }
    return strings;
  }

  /**
   * Returns a copy of a string.
   *
   * @param string its first byte; it ends before the first NUL
   */
  public static byte[] bytes(Pointer string) {
    byte[] bytes = new byte[string.indexOf(0, (byte) 0)];
    string.get(0, bytes, 0, bytes.length);
    return bytes;
  }
}
