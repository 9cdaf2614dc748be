// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse;

import io.blkmount.block.bytes.HostName;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The mounts that this process sees, in the order in which they were made. */
public final class MountTable {
  /** The type of our mounts, as the kernel shows it. */
  public static final String OUR_TYPE = "fuse.blkmount";

  private static final Path SOURCE = Path.of("/proc/self/mountinfo");

  private static final int ID_FIELD = 0;
  private static final int PARENT_FIELD = 1;
  private static final int DEVICE_FIELD = 2;
  private static final int MOUNT_POINT_FIELD = 4;

  /** The first of any number of optional fields; a lone hyphen ends them. */
  private static final int OPTIONAL_FIELDS = 6;

  private final List<Mount> mounts;

  private MountTable(List<Mount> mounts) {
    this.mounts = mounts;
  }

  /**
   * One line of the table.
   *
   * @param id as {@code /proc/PID/fdinfo} gives it for each open file
   * @param parentId of the mount that this one lies on
   * @param mountPoint where it is, without links
   * @param device major and minor number, such as {@code 0:45}
   * @param type of file system, such as {@code fuse.blkmount}
   * @param source what mount(8) shows before {@code on}
   */
  public record Mount(
      int id, int parentId, String mountPoint, String device, String type, String source) {
    /** Returns whether it is one of ours, alive or dead. */
    public boolean isOurs() {
      return type.equals(OUR_TYPE);
    }
  }

  /**
   * Returns the table as it is now.
   *
   * @throws IOException if there is no /proc
   */
  public static MountTable read() throws IOException {
    // One character per byte, so that names survive whatever the bytes are.
    return parse(new String(Files.readAllBytes(SOURCE), StandardCharsets.ISO_8859_1));
  }

  static MountTable parse(String text) {
    List<Mount> mounts = new ArrayList<>();
    for (String line : text.split("\n", -1)) {
      if (!line.isEmpty()) {
        mounts.add(parseLine(line.split(" ", -1)));
      }
    }
    return new MountTable(mounts);
  }

  /**
   * Returns the mount that is seen at a path, the topmost of a stack, or null.
   *
   * @param path without links
   */
  public @Nullable Mount at(String path) {
    for (int i = mounts.size() - 1; i >= 0; i--) {
      if (mounts.get(i).mountPoint().equals(path)) {
        return mounts.get(i);
      }
    }
    return null;
  }

  /**
   * Returns the mounts that lie on another one.
   *
   * @param below the other one
   */
  public List<Mount> above(Mount below) {
    return mounts.stream().filter(mount -> mount.parentId() == below.id()).toList();
  }

  private static Mount parseLine(String[] fields) {
    int hyphen = OPTIONAL_FIELDS;
    while (!fields[hyphen].equals("-")) {
      hyphen++;
    }
    return new Mount(
        Integer.parseInt(fields[ID_FIELD]),
        Integer.parseInt(fields[PARENT_FIELD]),
        unescape(fields[MOUNT_POINT_FIELD]),
        fields[DEVICE_FIELD],
        unescape(fields[hyphen + 1]),
        unescape(fields[hyphen + 2]));
  }

  /** Space, tab, newline, backslash and hash are written as a backslash and three octal digits. */
  private static String unescape(String field) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream(field.length());
    for (int i = 0; i < field.length(); i++) {
      if (field.charAt(i) == '\\' && i + 3 < field.length()) {
        bytes.write(Integer.parseInt(field.substring(i + 1, i + 4), 8));
        i += 3;
      } else {
        bytes.write(field.charAt(i));
      }
    }
    return HostName.decode(bytes.toByteArray());
  }
}
