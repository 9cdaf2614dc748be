// SPDX-License-Identifier: Apache-2.0
package io.blkmount.cli;

import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The directory that relative names start from: the caller's. The server itself stays in {@code /}.
 *
 * @param name absolute
 */
record WorkingDirectory(String name) {
  private static final List<String> PROTOCOLS_OF_FILES = List.of("file:", "host_device:");

  /** Returns the directory that the launcher was called in. */
  static WorkingDirectory ofCaller() {
    @Nullable String launcher = ProcessWords.variable("BLKMOUNT_DIRECTORY");
    return new WorkingDirectory(
        launcher != null ? launcher : HostPath.nameOf(Path.of("").toAbsolutePath()));
  }

  /** Returns a name as an absolute one. */
  String resolve(String relativeOrAbsolute) {
    if (relativeOrAbsolute.startsWith("/")) {
      return relativeOrAbsolute;
    }
    return name.endsWith("/") ? name + relativeOrAbsolute : name + "/" + relativeOrAbsolute;
  }

  /**
   * Returns an image's name with the host name in it absolute: {@code a:b.qcow2} is a file if it
   * exists, else what stands before the colon is a protocol. One that is not known is left alone,
   * for the block layer to refuse.
   */
  String resolveImage(String image) {
    String asFile = resolve(image);
    if (!hasProtocol(image) || Files.exists(HostPath.of(asFile), LinkOption.NOFOLLOW_LINKS)) {
      return asFile;
    }
    String hostName = withoutProtocol(image);
    return hostName.equals(image)
        ? image
        : image.substring(0, image.length() - hostName.length()) + resolve(hostName);
  }

  /** Returns the host name in an image's name that {@link #resolveImage} gave. */
  static String withoutProtocol(String image) {
    for (String protocol : PROTOCOLS_OF_FILES) {
      if (image.startsWith(protocol)) {
        return image.substring(protocol.length());
      }
    }
    return image;
  }

  private static boolean hasProtocol(String image) {
    int colon = image.indexOf(':');
    int slash = image.indexOf('/');
    return colon > 0 && (slash < 0 || colon < slash);
  }

  /** Returns dotted options with every file name in them as an absolute one. */
  Map<String, String> resolveImageOptions(Map<String, String> options) {
    Map<String, String> resolved = new LinkedHashMap<>(options);
    resolved.replaceAll((key, value) -> isFileName(key) ? resolveImage(value) : value);
    return resolved;
  }

  /** Returns whether a dotted option holds the name of a file. */
  static boolean isFileName(String key) {
    return key.equals("filename") || key.endsWith(".filename");
  }
}
