// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.file;

import io.blkmount.block.driver.ChildOpener;
import io.blkmount.block.driver.DriverOptions;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;

/** Opens host files and makes buffers for the tests of this package. */
final class HostImages {
  static final ChildOpener NO_CHILDREN =
      role -> {
        throw new AssertionError("a protocol driver has no children: " + role);
      };

  private HostImages() {}

  static HostFile open(Path path, boolean writable) throws IOException {
    return open(path.toString(), writable, Map.of());
  }

  static HostFile open(String name, boolean writable, Map<String, String> more) throws IOException {
    Map<String, String> values = new HashMap<>(more);
    values.put("filename", name);
    String shown = name.substring(name.lastIndexOf('/') + 1);
    return (HostFile)
        new FileDriver().open(new DriverOptions(shown, writable, values), NO_CHILDREN);
  }

  static ByteBuffer buffer(int length, boolean direct) {
    return direct ? ByteBuffer.allocateDirect(length) : ByteBuffer.allocate(length);
  }

  static ByteBuffer filled(int length, byte value) {
    ByteBuffer buffer = ByteBuffer.allocateDirect(length);
    while (buffer.hasRemaining()) {
      buffer.put(value);
    }
    return buffer.flip();
  }

  /** Returns bytes that differ from their neighbours near and far. */
  static ByteBuffer pattern(int length, boolean direct) {
    ByteBuffer buffer = buffer(length, direct);
    for (int i = 0; i < length; i++) {
      buffer.put((byte) (i * 31 + (i >> 8) + 1));
    }
    return buffer.flip();
  }

  /** Returns what remains of a buffer. */
  static byte[] bytes(ByteBuffer buffer) {
    byte[] bytes = new byte[buffer.remaining()];
    buffer.get(bytes);
    return bytes;
  }
}
