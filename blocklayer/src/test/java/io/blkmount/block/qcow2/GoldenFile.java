// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import java.util.List;

/**
 * Bytes of an image that another program made, kept as text so that no version of any tool can
 * change what we hold our code against.
 *
 * <pre>
 * # how it was made
 * # length N
 * offset bytes       both in hex; lines of zeros are left out
 * </pre>
 */
final class GoldenFile {
  private static final String LENGTH = "# length ";

  private GoldenFile() {}

  /** Returns the content of a file in this package's test resources. */
  static byte[] load(String name) {
    try (InputStream stream = GoldenFile.class.getResourceAsStream(name + ".hex")) {
      if (stream == null) {
        throw new AssertionError("no golden file " + name);
      }
      return parse(new String(stream.readAllBytes(), StandardCharsets.US_ASCII).lines().toList());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static byte[] parse(List<String> lines) {
    ByteBuffer bytes = ByteBuffer.allocate(0);
    for (String line : lines) {
      if (line.startsWith(LENGTH)) {
        bytes = ByteBuffer.allocate(Integer.parseInt(line.substring(LENGTH.length())));
      } else if (!line.startsWith("#")) {
        int blank = line.indexOf(' ');
        int offset = Integer.parseInt(line.substring(0, blank), 16);
        bytes.put(offset, HexFormat.of().parseHex(line.substring(blank + 1)));
      }
    }
    return bytes.array();
  }
}
