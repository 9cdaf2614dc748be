// SPDX-License-Identifier: Apache-2.0
package io.blkmount.cli;

import io.blkmount.block.bytes.HostName;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;

/**
 * Host names as the JDK's paths.
 *
 * <p>{@code Path.of(String)} encodes a name in the locale's charset and fails for the rest. A file
 * URI holds bytes, so it carries every name under every locale.
 */
final class HostPath {
  private static final String UNRESERVED = "/-._~";

  private HostPath() {}

  /**
   * Returns the path of a name.
   *
   * @param name absolute, as {@link HostName} decodes it
   */
  static Path of(String name) {
    if (!name.startsWith("/")) {
      throw new IllegalArgumentException("not absolute: " + name);
    }
    StringBuilder uri = new StringBuilder("file://");
    for (byte b : HostName.encode(name)) {
      char c = (char) (b & 0xff);
      if (isPlain(c)) {
        uri.append(c);
      } else {
        uri.append(String.format("%%%02x", (int) c));
      }
    }
    return Path.of(URI.create(uri.toString()));
  }

  /** Returns the name of an absolute path; the inverse of {@link #of}. */
  static String nameOf(Path path) {
    String raw = path.toUri().getRawPath();
    byte[] bytes = raw.getBytes(StandardCharsets.US_ASCII);
    int length = 0;
    for (int i = 0; i < bytes.length; i++) {
      if (bytes[i] == '%') {
        bytes[length++] = (byte) Integer.parseInt(raw, i + 1, i + 3, 16);
        i += 2;
      } else {
        bytes[length++] = bytes[i];
      }
    }
    if (length > 1 && bytes[length - 1] == '/') {
      length--; // toUri marks directories
    }
    return HostName.decode(Arrays.copyOf(bytes, length));
  }

  private static boolean isPlain(char c) {
    return (c >= 'a' && c <= 'z')
        || (c >= 'A' && c <= 'Z')
        || (c >= '0' && c <= '9')
        || UNRESERVED.indexOf(c) >= 0;
  }
}
