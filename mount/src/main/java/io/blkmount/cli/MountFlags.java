// SPDX-License-Identifier: Apache-2.0
package io.blkmount.cli;

import java.util.List;

/**
 * What {@code -o} says, as mount(8) writes it.
 *
 * @param readOnly {@code ro} was the last of ro and rw
 * @param allowOther users other than the one who mounts may use the mount
 * @param uid owner of the files, or -1 for the user who mounts
 * @param gid group of the files, or -1 for the group of the user who mounts
 * @param umask permissions to take away from 0666, or -1 for files of mode 0600
 */
record MountFlags(boolean readOnly, boolean allowOther, int uid, int gid, int umask) {
  static final MountFlags NONE = new MountFlags(false, false, -1, -1, -1);

  /**
   * Returns what all {@code -o} together say; the last word on one thing counts.
   *
   * @param lists comma-separated options
   * @throws CommandFailure that names the first option that is unknown or has no proper value
   */
  static MountFlags parse(List<String> lists) throws CommandFailure {
    MountFlags flags = NONE;
    for (String list : lists) {
      for (String option : list.split(",", -1)) {
        flags = flags.with(option);
      }
    }
    return flags;
  }

  private MountFlags with(String option) throws CommandFailure {
    int equals = option.indexOf('=');
    String name = equals < 0 ? option : option.substring(0, equals);
    String value = equals < 0 ? "" : option.substring(equals + 1);
    return switch (equals < 0 ? name : name + "=") {
      case "ro" -> new MountFlags(true, allowOther, uid, gid, umask);
      case "rw" -> new MountFlags(false, allowOther, uid, gid, umask);
      case "allow_other" -> new MountFlags(readOnly, true, uid, gid, umask);
      case "uid=" -> new MountFlags(readOnly, allowOther, number(option, value, 10), gid, umask);
      case "gid=" -> new MountFlags(readOnly, allowOther, uid, number(option, value, 10), umask);
      case "umask=" ->
          new MountFlags(readOnly, allowOther, uid, gid, number(option, value, 8) & 0777);
      // What every mount of ours has anyway, and what fstab needs at least one word of.
      case "defaults", "nosuid", "nodev", "default_permissions" -> this;
      default -> throw unknown(option);
    };
  }

  private static int number(String option, String value, int radix) throws CommandFailure {
    try {
      int number = Integer.parseInt(value, radix);
      if (number >= 0) {
        return number;
      }
    } catch (NumberFormatException notANumber) {
      // the same answer as for a negative one
    }
    throw CommandFailure.usage(
        "mount option \"" + option + "\": not " + (radix == 8 ? "an octal number" : "a number"));
  }

  private static CommandFailure unknown(String option) {
    return CommandFailure.usage(
        "mount option \""
            + option
            + "\" is not known (known are ro, rw, allow_other, uid=, gid=, umask=)");
  }
}
