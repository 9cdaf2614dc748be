// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse;

import io.blkmount.block.bytes.HostName;
import java.util.Arrays;
import java.util.List;

/**
 * How a tree is mounted.
 *
 * @param fsName what mount(8) shows as the source: the image's name, several joined by commas; cut
 *     at what the kernel takes
 * @param readOnly mount with MS_RDONLY: the kernel refuses every change with EROFS
 * @param allowOther users other than the mounting one may come in
 * @param uid owner of the directory and the files
 * @param gid their group
 * @param umask permission bits taken away from 0777 and 0666, or {@link #NO_UMASK} for 0500 and
 *     0600
 * @param serving how requests come from the kernel and who serves them
 * @param extra further options as mount(8) writes them after {@code -o}, one each, without commas
 */
public record MountOptions(
    String fsName,
    boolean readOnly,
    boolean allowOther,
    int uid,
    int gid,
    int umask,
    ServingOptions serving,
    List<String> extra) {
  /** Only the owner has access. */
  public static final int NO_UMASK = -1;

  /** The kernel refuses a source that is longer, in bytes. */
  private static final int LONGEST_SOURCE = 4095;

  private static final String CUT = "...";

  /** Checks the values, cuts the name and copies the list. */
  public MountOptions {
    fsName = cut(fsName);
    if (umask != NO_UMASK && (umask & ~0777) != 0) {
      throw new IllegalArgumentException("umask=" + umask + " has bits outside 0777");
    }
    extra = List.copyOf(extra);
  }

  private static String cut(String fsName) {
    byte[] bytes = HostName.encode(fsName);
    return bytes.length <= LONGEST_SOURCE
        ? fsName
        : HostName.decode(Arrays.copyOf(bytes, LONGEST_SOURCE - CUT.length())) + CUT;
  }

  /**
   * Returns the defaults: writable, private to the owner.
   *
   * @param fsName what mount(8) shows as the source
   * @param uid owner of the directory and the files
   * @param gid their group
   */
  public static MountOptions of(String fsName, int uid, int gid) {
    return new MountOptions(
        fsName, false, false, uid, gid, NO_UMASK, ServingOptions.DEFAULT, List.of());
  }

  /**
   * Returns these options, read-only or not.
   *
   * @param readOnly mount with MS_RDONLY
   */
  public MountOptions withReadOnly(boolean readOnly) {
    return new MountOptions(fsName, readOnly, allowOther, uid, gid, umask, serving, extra);
  }

  /**
   * Returns these options with other extra ones.
   *
   * @param extra as mount(8) writes them after {@code -o}
   */
  public MountOptions withExtra(List<String> extra) {
    return new MountOptions(fsName, readOnly, allowOther, uid, gid, umask, serving, extra);
  }

  /**
   * Returns these options with requests served in another way.
   *
   * @param serving how requests come from the kernel and who serves them
   */
  public MountOptions withServing(ServingOptions serving) {
    return new MountOptions(fsName, readOnly, allowOther, uid, gid, umask, serving, extra);
  }
}
