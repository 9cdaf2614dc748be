// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse.channel;

import io.blkmount.block.bytes.HostName;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import io.blkmount.fuse.HostCalls;
import io.blkmount.fuse.MountOptions;
import io.blkmount.fuse.MountTable;
import java.io.IOException;
import java.util.List;

/** Mounts as root: opens the device, and has the kernel mount what is served there. */
final class KernelMount {
  private static final String DEVICE = "/dev/fuse";

  private static final int MS_RDONLY = 1;
  private static final int MS_NOSUID = 2;
  private static final int MS_NODEV = 4;
  private static final int MS_NOEXEC = 8;
  private static final int MS_NOATIME = 1024;

  /** The longest read that the kernel sends as one request, in bytes. */
  static final int MAX_READ = 1 << 20;

  /** The caller has looked already whether the mount covers something. */
  static final String NON_EMPTY = "nonempty";

  private KernelMount() {}

  /**
   * Mounts. Whoever looks at the mount waits until somebody serves the descriptor.
   *
   * @param mountPoint without links; free and of the right type
   * @param directory whether a directory is served, else one file
   * @param options how
   * @return an open descriptor of /dev/fuse; the mount is dead when the last copy is closed
   * @throws IOException with the reason on one line; nothing is mounted then
   */
  static int mount(String mountPoint, boolean directory, MountOptions options) throws IOException {
    long flags = flags(mountPoint, options);
    int device = open(mountPoint);
    try {
      String data = data(device, directory, options);
      HostCalls.mount(options.fsName(), mountPoint, MountTable.OUR_TYPE, flags, data);
      return device;
    } catch (BlockException e) {
      HostCalls.close(device);
      throw new BlockException(e.error(), "cannot mount on " + e.getMessage(), e);
    }
  }

  private static int open(String mountPoint) throws BlockException {
    try {
      return HostCalls.open(DEVICE);
    } catch (BlockException e) {
      throw refused(e.error(), mountPoint, "cannot open " + e.getMessage());
    }
  }

  private static long flags(String mountPoint, MountOptions options) throws BlockException {
    long flags = MS_NOSUID | MS_NODEV | (options.readOnly() ? MS_RDONLY : 0);
    for (String option : options.extra()) {
      flags |= flag(mountPoint, option);
    }
    return flags;
  }

  private static int flag(String mountPoint, String option) throws BlockException {
    return switch (option) {
      case NON_EMPTY -> 0;
      case "noexec" -> MS_NOEXEC;
      case "noatime" -> MS_NOATIME;
      default ->
          throw refused(
              BlockError.INVALID,
              mountPoint,
              "unknown mount option \"" + HostName.printable(option) + "\"");
    };
  }

  /** The kernel decides by the modes who may do what, and wants to know whose mount it is. */
  private static String data(int device, boolean directory, MountOptions options) {
    List<String> words =
        List.of(
            "fd=" + device,
            "rootmode=" + (directory ? "40000" : "100000"),
            "user_id=" + HostCalls.userId(),
            "group_id=" + HostCalls.groupId(),
            "max_read=" + MAX_READ,
            "default_permissions");
    return String.join(",", words) + (options.allowOther() ? ",allow_other" : "");
  }

  static BlockException refused(BlockError error, String mountPoint, String why) {
    String name = HostName.printable(mountPoint);
    return new BlockException(error, "cannot mount on \"" + name + "\": " + why);
  }
}
