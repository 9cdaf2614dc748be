// SPDX-License-Identifier: Apache-2.0
package io.blkmount.cli;

import io.blkmount.fuse.MountTable;
import io.blkmount.fuse.Unmounting;
import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.DirectoryStream;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A place where something can be mounted.
 *
 * @param name absolute, without symbolic links
 * @param isDirectory whether it is an empty directory; else it is a regular file
 */
record MountPoint(String name, boolean isDirectory) {
  /**
   * Returns the mount point after all checks that can be made without changing anything.
   *
   * @param given absolute name
   * @param images what it will show; none of them may lie where the mount would hide it
   * @throws CommandFailure if it is missing, not empty, in use, or hides an image
   */
  static MountPoint check(String given, List<MountRequest.Image> images) throws CommandFailure {
    String name = realName(given);
    requireUnused(name);
    BasicFileAttributes attributes = attributes(given, name);
    requireHidesNone(name, images);
    if (attributes.isDirectory()) {
      requireEmpty(name);
    } else if (!attributes.isRegularFile()) {
      throw problem(name, "neither a directory nor a regular file");
    } else if (images.size() > 1) {
      throw problem(name, "a file shows one image, not " + images.size());
    }
    return new MountPoint(name, attributes.isDirectory());
  }

  /**
   * Returns a name without symbolic links. The last component may be a dead mount, which fails
   * every system call on it, so it is resolved through its parent.
   */
  static String realName(String given) throws CommandFailure {
    Path path = withoutDots(HostPath.of(given));
    @Nullable Path last = path.getFileName();
    try {
      if (last == null || last.toString().equals("..") || Files.isSymbolicLink(path)) {
        return HostPath.nameOf(path.toRealPath());
      }
      return HostPath.nameOf(path.getParent().toRealPath().resolve(last));
    } catch (IOException e) {
      throw problem(given, reason(e));
    }
  }

  /**
   * Returns the path without dots at its end. Two dots are for the host to follow: behind a link
   * they do not lead back to where the link is.
   */
  private static Path withoutDots(Path given) {
    Path path = given;
    while (path.endsWith(".")) {
      path = path.getParent();
    }
    return path;
  }

  static CommandFailure problem(String name, String what) {
    return CommandFailure.failed("mount point \"" + name + "\": " + what);
  }

  /** Returns what a failed look at a file means, in the host's usual words. */
  static String reason(IOException failure) {
    if (failure instanceof NoSuchFileException) {
      return "no such file or directory";
    }
    if (failure instanceof AccessDeniedException) {
      return "permission denied";
    }
    if (failure instanceof FileSystemException e && e.getReason() != null) {
      return e.getReason();
    }
    return String.valueOf(failure.getMessage());
  }

  private static void requireUnused(String name) throws CommandFailure {
    MountTable.Mount mount = mountAt(name);
    if (mount == null) {
      return;
    }
    if (mount.isOurs() && isDead(name)) {
      detach(name);
      return;
    }
    throw problem(name, "in use: " + mount.source() + " (" + mount.type() + ") is mounted there");
  }

  /** Takes a mount out of the tree; it ends with its last user. */
  static void detach(String name) throws CommandFailure {
    try {
      Unmounting.detach(name);
    } catch (IOException e) {
      throw CommandFailure.failed(reason(e), e);
    }
  }

  static MountTable.@Nullable Mount mountAt(String name) throws CommandFailure {
    try {
      return MountTable.read().at(name);
    } catch (IOException e) {
      throw CommandFailure.failed("/proc/self/mountinfo: " + reason(e), e);
    }
  }

  /** ENOTCONN is what the kernel answers for a mount whose server is gone. */
  static boolean isDead(String name) {
    try {
      Files.readAttributes(HostPath.of(name), BasicFileAttributes.class);
      return false;
    } catch (IOException e) {
      return String.valueOf(e.getMessage()).contains("endpoint is not connected");
    }
  }

  private static BasicFileAttributes attributes(String given, String name) throws CommandFailure {
    try {
      return Files.readAttributes(
          HostPath.of(name), BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS);
    } catch (IOException e) {
      throw problem(given, reason(e));
    }
  }

  private static void requireHidesNone(String name, List<MountRequest.Image> images)
      throws CommandFailure {
    for (MountRequest.Image image : images) {
      for (String file : image.files()) {
        if (file.startsWith("/") && isInside(HostPath.of(file), HostPath.of(name))) {
          throw problem(name, "the mount would hide the image \"" + file + "\"");
        }
      }
    }
  }

  /** A missing image is inside nothing; it is reported when it is opened. */
  private static boolean isInside(Path file, Path mountPoint) {
    try {
      return file.toRealPath().startsWith(mountPoint);
    } catch (IOException e) {
      return false;
    }
  }

  private static void requireEmpty(String name) throws CommandFailure {
    try (DirectoryStream<Path> entries = Files.newDirectoryStream(HostPath.of(name))) {
      if (entries.iterator().hasNext()) {
        throw problem(name, "not empty");
      }
    } catch (IOException e) {
      throw problem(name, reason(e));
    }
  }
}
