// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse;

import io.blkmount.block.bytes.HostName;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import java.io.IOException;

/**
 * A place that a tree can be mounted on.
 *
 * @param path without links, {@code .} and {@code ..}
 * @param device that the place itself is on; once mounted, the path leads to another one
 */
record MountPoint(String path, String device) {
  /** More dead mounts than one lie on top of each other only if somebody stacked them. */
  private static final int MOST_DEAD_MOUNTS = 8;

  /**
   * Returns the mount point of that name; detaches dead mounts of ours from it.
   *
   * @param name as the user gave it
   * @param directory whether it has to be a directory, else a regular file
   * @param mayHoldSomething whether it is all right to cover files or bytes
   * @throws IOException with the reason on one line
   */
  static MountPoint prepare(String name, boolean directory, boolean mayHoldSomething)
      throws IOException {
    String path = locate(name);
    for (int i = 0; i < MOST_DEAD_MOUNTS && isDeadMountOfOurs(path); i++) {
      Unmounting.detach(path);
    }
    HostCalls.Status status = requireFree(path);
    requireType(path, status, directory);
    if (!mayHoldSomething) {
      requireEmpty(path, status);
    }
    return new MountPoint(path, status.device());
  }

  /** Resolves the name; the last component alone may be dead, and is taken as it stands then. */
  private static String locate(String name) throws BlockException {
    try {
      return HostCalls.realPath(name);
    } catch (BlockException e) {
      if (e.error() != BlockError.STALE) {
        throw refused(e.error(), e.getMessage());
      }
      int slash = name.lastIndexOf('/');
      String parent = slash < 0 ? "." : name.substring(0, slash + 1);
      return HostCalls.realPath(parent) + "/" + name.substring(slash + 1);
    }
  }

  private static boolean isDeadMountOfOurs(String path) throws IOException {
    MountTable.Mount mount = MountTable.read().at(path);
    return mount != null && mount.isOurs() && isDead(path);
  }

  private static boolean isDead(String path) throws BlockException {
    try {
      HostCalls.status(path);
      return false;
    } catch (BlockException e) {
      return e.error() == BlockError.STALE;
    }
  }

  private static HostCalls.Status requireFree(String path) throws IOException {
    MountTable.Mount mount = MountTable.read().at(path);
    if (mount != null) {
      throw refused(
          BlockError.BUSY,
          quoted(path)
              + ": already a mount point of "
              + quoted(mount.source())
              + " (type "
              + mount.type()
              + ")");
    }
    try {
      return HostCalls.status(path);
    } catch (BlockException e) {
      throw refused(e.error(), e.getMessage());
    }
  }

  private static void requireType(String path, HostCalls.Status status, boolean directory)
      throws BlockException {
    if (directory && !status.isDirectory()) {
      throw refused(BlockError.NOT_DIRECTORY, quoted(path) + ": not a directory");
    }
    if (!directory && !status.isRegularFile()) {
      throw refused(BlockError.INVALID, quoted(path) + ": not a regular file");
    }
  }

  private static void requireEmpty(String path, HostCalls.Status status) throws BlockException {
    if (status.isDirectory() && !HostCalls.isEmptyDirectory(path)) {
      throw refused(BlockError.INVALID, quoted(path) + ": the directory is not empty");
    }
    if (status.isRegularFile() && status.size() > 0) {
      throw refused(
          BlockError.INVALID,
          quoted(path) + ": the file is not empty: " + status.size() + " bytes");
    }
  }

  static BlockException refused(BlockError error, String why) {
    return new BlockException(error, "cannot mount on " + why);
  }

  static String quoted(String name) {
    return "\"" + HostName.printable(name) + "\"";
  }
}
