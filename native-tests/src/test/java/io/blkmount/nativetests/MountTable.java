// SPDX-License-Identifier: Apache-2.0
package io.blkmount.nativetests;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** What the kernel says is mounted. */
final class MountTable {
  private MountTable() {}

  /**
   * A line of /proc/self/mounts.
   *
   * @param source what is mounted
   * @param options comma separated
   */
  record Line(String source, String mountPoint, String type, String options) {}

  static boolean contains(Path mountPoint) {
    return lines().stream().anyMatch(line -> line.mountPoint().equals(mountPoint.toString()));
  }

  /** Returns the mounts at or below a folder, the last one first. */
  static List<String> below(Path folder) {
    List<String> found =
        lines().stream()
            .map(Line::mountPoint)
            .filter(name -> (name + "/").startsWith(folder + "/"))
            .collect(java.util.stream.Collectors.toList());
    java.util.Collections.reverse(found);
    return found;
  }

  static Line line(Path mountPoint) {
    return lines().stream()
        .filter(line -> line.mountPoint().equals(mountPoint.toString()))
        .findFirst()
        .orElseThrow(() -> new AssertionError("not mounted: " + mountPoint));
  }

  private static List<Line> lines() {
    try {
      byte[] table = Files.readAllBytes(Path.of("/proc/self/mounts"));
      return new String(table, StandardCharsets.ISO_8859_1).lines().map(MountTable::parse).toList();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static Line parse(String line) {
    String[] fields = line.split(" ", -1);
    return new Line(unescape(fields[0]), unescape(fields[1]), fields[2], fields[3]);
  }

  private static String unescape(String field) {
    return field.replace("\\040", " ").replace("\\012", "\n").replace("\\134", "\\");
  }
}
