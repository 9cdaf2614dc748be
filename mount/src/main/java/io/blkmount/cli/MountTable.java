// SPDX-License-Identifier: Apache-2.0
package io.blkmount.cli;

import io.blkmount.block.bytes.HostName;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What is mounted, as this process sees it: {@code /proc/self/mountinfo}.
 *
 * @param mounts in the order of mounting; a later one hides an earlier one at the same place
 */
record MountTable(List<Mount> mounts) {
  static final String OUR_TYPE = "fuse.blkmount";

  private static final Path SOURCE = Path.of("/proc/self/mountinfo");

  /**
   * One line of the table.
   *
   * @param id of the mount, as {@code /proc/PID/fdinfo} names it
   * @param parentId of the mount that it lies on
   * @param device as {@code MAJOR:MINOR}
   * @param mountPoint absolute name
   * @param type of the file system, such as {@code ext4}
   * @param source what mount(8) shows before "on"
   */
  record Mount(int id, int parentId, String device, String mountPoint, String type, String source) {
    boolean isOurs() {
      return type.equals(OUR_TYPE);
    }
  }

  static MountTable read() throws IOException {
    return parse(Files.readAllBytes(SOURCE));
  }

  static MountTable parse(byte[] text) {
    List<Mount> mounts = new ArrayList<>();
    // One char per byte: names in it are bytes, only the fields' ends matter here.
    for (String line : new String(text, StandardCharsets.ISO_8859_1).split("\n")) {
      if (!line.isEmpty()) {
        mounts.add(parseLine(line));
      }
    }
    return new MountTable(List.copyOf(mounts));
  }

  /** Returns what is mounted at exactly that place, or null. */
  @Nullable Mount at(String mountPoint) {
    Mount found = null;
    for (Mount mount : mounts) {
      if (mount.mountPoint().equals(mountPoint)) {
        found = mount;
      }
    }
    return found;
  }

  /** Returns the mounts that lie on another one. */
  List<Mount> above(Mount below) {
    return mounts.stream().filter(m -> m.parentId() == below.id()).toList();
  }

  /**
   * The fields, by proc(5): id parent device root mountPoint options tags... "-" type source ...
   */
  private static Mount parseLine(String line) {
    String[] fields = line.split(" ");
    int dash = 6;
    while (!fields[dash].equals("-")) {
      dash++;
    }
    return new Mount(
        Integer.parseInt(fields[0]),
        Integer.parseInt(fields[1]),
        fields[2],
        unescape(fields[4]),
        unescape(fields[dash + 1]),
        unescape(fields[dash + 2]));
  }

  /** Returns the name: space, tab, newline, backslash and # are three octal digits in the table. */
  private static String unescape(String field) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream(field.length());
    for (int i = 0; i < field.length(); i++) {
      if (field.charAt(i) == '\\' && i + 3 < field.length()) {
        bytes.write(Integer.parseInt(field, i + 1, i + 4, 8));
        i += 3;
      } else {
        bytes.write(field.charAt(i));
      }
    }
    return HostName.decode(bytes.toByteArray());
  }
}
