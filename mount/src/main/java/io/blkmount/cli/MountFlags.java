// SPDX-License-Identifier: Apache-2.0
package io.blkmount.cli;

import java.util.List;
import java.util.Set;

/**
 * What {@code -o} says, as mount(8) writes it.
 *
 * @param readOnly {@code ro} was the last of ro and rw
 * @param allowOther users other than the one who mounts may use the mount
 * @param uid owner of the files, or -1 for the user who mounts
 * @param gid group of the files, or -1 for the group of the user who mounts
 * @param umask permissions to take away from 0666, or -1 for files of mode 0600
 * @param noExec {@code noexec} was the last of exec and noexec
 */
record MountFlags(
    boolean readOnly, boolean allowOther, int uid, int gid, int umask, boolean noExec) {
  static final MountFlags NONE = new MountFlags(false, false, -1, -1, -1, false);

  /**
   * What lines of fstab(5) say besides: for mount(8) and those who call it, for times of access,
   * which the file has none of, or what every mount of ours is anyway. All mounts are nosuid and
   * nodev, and nothing on them could make use of suid or dev.
   */
  private static final Set<String> WITHOUT_EFFECT =
      Set.of(
          "defaults",
          "default_permissions",
          "suid",
          "nosuid",
          "dev",
          "nodev",
          "async",
          "atime",
          "noatime",
          "diratime",
          "nodiratime",
          "relatime",
          "norelatime",
          "auto",
          "noauto",
          "user",
          "nouser",
          "_netdev",
          "nofail");

  /** The kernel and mount(8) leave what begins so to programs in user space. */
  private static final String OF_OTHERS = "x-";

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
    String value = option.substring(equals + 1);
    return switch (option.substring(0, equals < 0 ? option.length() : equals + 1)) {
      case "ro" -> new MountFlags(true, allowOther, uid, gid, umask, noExec);
      case "rw" -> new MountFlags(false, allowOther, uid, gid, umask, noExec);
      case "allow_other" -> new MountFlags(readOnly, true, uid, gid, umask, noExec);
      case "uid=" ->
          new MountFlags(readOnly, allowOther, number(option, value, 10), gid, umask, noExec);
      case "gid=" ->
          new MountFlags(readOnly, allowOther, uid, number(option, value, 10), umask, noExec);
      case "umask=" ->
          new MountFlags(readOnly, allowOther, uid, gid, number(option, value, 8) & 0777, noExec);
      case "exec" -> new MountFlags(readOnly, allowOther, uid, gid, umask, false);
      case "noexec" -> new MountFlags(readOnly, allowOther, uid, gid, umask, true);
      default -> {
        if (!WITHOUT_EFFECT.contains(option) && !option.startsWith(OF_OTHERS)) {
          throw unknown(option);
        }
        yield this;
      }
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
            + "\" is not known (known are ro, rw, allow_other, uid=, gid=, umask=, noexec)");
  }
}
