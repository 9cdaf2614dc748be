// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse;

import io.blkmount.block.bytes.HostName;
import java.util.Arrays;
import java.util.List;
import java.util.Set;

/** Makes the names of the files in a mounted directory from the names of images. */
final class ExportNames {
  private static final String EXTENSION = ".raw";

  /** NAME_MAX of Linux, in bytes. */
  private static final int LONGEST_NAME = 255;

  /** Ways to write the protocol in front of a host name. */
  private static final List<String> PROTOCOLS = List.of("file:", "host_device:");

  private ExportNames() {}

  /**
   * Returns {@code NAME.raw}, or {@code NAME-2.raw} and so on if that is taken.
   *
   * @param imageName as the image was opened
   * @param taken names in use
   */
  static String free(String imageName, Set<String> taken) {
    String stem = stem(imageName);
    String name = fitting(stem, EXTENSION);
    for (int i = 2; taken.contains(name); i++) {
      name = fitting(stem, "-" + i + EXTENSION);
    }
    return name;
  }

  private static String stem(String imageName) {
    String file = lastComponent(withoutProtocol(imageName));
    int dot = file.lastIndexOf('.');
    String stem = dot > 0 ? file.substring(0, dot) : file;
    return stem.isEmpty() ? "disk" : stem;
  }

  private static String withoutProtocol(String imageName) {
    for (String protocol : PROTOCOLS) {
      if (imageName.startsWith(protocol)) {
        return imageName.substring(protocol.length());
      }
    }
    return imageName;
  }

  private static String lastComponent(String path) {
    return path.substring(path.lastIndexOf('/') + 1);
  }

  /** Cuts the stem where the whole name would be too long for the host, whatever its characters. */
  private static String fitting(String stem, String suffix) {
    byte[] bytes = HostName.encode(stem);
    int room = LONGEST_NAME - suffix.length();
    return (bytes.length <= room ? stem : HostName.decode(Arrays.copyOf(bytes, room))) + suffix;
  }
}
