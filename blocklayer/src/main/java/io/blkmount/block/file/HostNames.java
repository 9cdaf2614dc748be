// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.file;

import io.blkmount.block.driver.HostStored.FileKey;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import java.io.IOException;
import org.jspecify.annotations.Nullable;

/** What can be asked of, and done to, a name of the host without an open image. */
public final class HostNames {
  /** Owner only: a disk may hold what nobody else may read. */
  private static final int PRIVATE = 0600;

  /** For everybody, less the umask, as qemu-img creates images. */
  private static final int SHARED = 0644;

  private HostNames() {}

  /** What a name leads to, through symbolic links. */
  public enum Kind {
    /** Nothing. */
    MISSING,
    /** A regular file. */
    FILE,
    /** A block device. */
    BLOCK_DEVICE,
    /** A character device. */
    CHARACTER_DEVICE,
    /** A directory. */
    DIRECTORY,
    /** A pipe, a socket and the like. */
    OTHER
  }

  /**
   * What a name leads to.
   *
   * @param kind the kind of file
   * @param key which file, or null if there is none
   */
  public record Target(Kind kind, @Nullable FileKey key) {
    /** Returns whether there is anything. */
    public boolean exists() {
      return kind != Kind.MISSING;
    }
  }

  /**
   * Looks a name up.
   *
   * @param hostName as {@code HostName} decodes it
   * @return the target; {@code MISSING} also where a folder on the way is missing or no folder, and
   *     for a name that is too long to exist
   * @throws IOException if the host does not say, for example {@code ACCESS_DENIED}
   */
  public static Target lookUp(String hostName) throws IOException {
    try {
      FileStatus status = PosixFile.statusOf(hostName, hostName);
      return new Target(kindOf(status.type()), status.key());
    } catch (BlockException e) {
      if (e.error() == BlockError.NOT_FOUND
          || e.error() == BlockError.NOT_DIRECTORY
          || e.error() == BlockError.NAME_TOO_LONG) {
        return new Target(Kind.MISSING, null);
      }
      throw e;
    }
  }

  private static Kind kindOf(FileStatus.Type type) {
    return switch (type) {
      case REGULAR -> Kind.FILE;
      case BLOCK_DEVICE -> Kind.BLOCK_DEVICE;
      case CHARACTER_DEVICE -> Kind.CHARACTER_DEVICE;
      case DIRECTORY -> Kind.DIRECTORY;
      case FIFO, SOCKET, OTHER -> Kind.OTHER;
    };
  }

  /**
   * Creates an empty file where there is none.
   *
   * @param hostName as {@code HostName} decodes it
   * @throws IOException if it cannot be created, or is there already
   */
  public static void create(String hostName) throws IOException {
    create(hostName, SHARED);
  }

  /**
   * Creates an empty file that only its owner may open.
   *
   * @param hostName as {@code HostName} decodes it
   * @throws IOException if it cannot be created, or is there already
   */
  public static void createPrivate(String hostName) throws IOException {
    create(hostName, PRIVATE);
  }

  private static void create(String hostName, int mode) throws IOException {
    int flags = LibC.O_RDWR | LibC.O_CREAT | LibC.O_EXCL;
    PosixFile.open(hostName, hostName, flags, mode).close();
  }

  /**
   * Removes a name.
   *
   * @param hostName as {@code HostName} decodes it
   * @throws IOException if it cannot be removed
   */
  public static void remove(String hostName) throws IOException {
    PosixFile.unlink(hostName);
  }
}
