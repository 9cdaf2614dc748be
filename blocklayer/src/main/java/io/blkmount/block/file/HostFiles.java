// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.file;

import io.blkmount.block.driver.HostStored.FileKey;
import java.io.IOException;
import java.security.SecureRandom;
import java.util.HexFormat;
import org.jspecify.annotations.Nullable;

/** Makes and removes host files; names are as {@code HostName} decodes them. */
public final class HostFiles {
  /** As open(2) of any tool: the umask decides. */
  private static final int MODE = 0666;

  /** A temporary file holds what a guest writes: nobody else's business. */
  private static final int PRIVATE_MODE = 0600;

  private static final int RANDOM_BYTES = 8;

  private HostFiles() {}

  /**
   * Makes an empty regular file, or finds that nobody else uses one that is there. What that holds
   * stays: who has checked what shall become of it empties it.
   *
   * @param name of the file
   * @param exclusive fail if the name exists
   * @throws IOException with {@code LOCKED} if somebody else uses the file, or if the host refuses
   */
  public static void create(String name, boolean exclusive) throws IOException {
    HostPath path = HostPath.of(name);
    if (!exclusive && path.exists()) {
      FileStatus.Type type = path.status().type();
      HostOpening.requireStorage(path, type);
      if (type == FileStatus.Type.BLOCK_DEVICE) {
        return;
      }
    }
    int flags = LibC.O_NONBLOCK | (exclusive ? LibC.O_EXCL : 0);
    try (PosixFile file = PosixFile.create(path, flags, MODE)) {
      HostOpening.requireStorage(path, file.status().type());
      ImageLock.acquire(file, HostFileOptions.forWriting(path));
    }
  }

  /**
   * Makes an empty file under a name that is new, readable by its owner only.
   *
   * @param directory where
   * @param prefix what the name begins with
   * @return the name, with the directory
   * @throws IOException if the host refuses
   */
  public static String createTemporary(String directory, String prefix) throws IOException {
    byte[] random = new byte[RANDOM_BYTES];
    new SecureRandom().nextBytes(random); // not kept: to make one takes time that few need
    String name = directory + '/' + prefix + HexFormat.of().formatHex(random);
    PosixFile.create(HostPath.of(name), LibC.O_EXCL, PRIVATE_MODE).close();
    return name;
  }

  /**
   * Removes a name; who has the file open keeps it.
   *
   * @param name of the file
   * @throws IOException if the host refuses
   */
  public static void unlink(String name) throws IOException {
    HostPath.of(name).unlink();
  }

  /**
   * Returns whether a name exists, as whatever kind of file.
   *
   * @param name of the file
   */
  public static boolean exists(String name) {
    return HostPath.of(name).exists();
  }

  /**
   * Returns whether a name is a block device's.
   *
   * @param name of the file; need not exist
   * @throws IOException if it exists but cannot be looked at
   */
  public static boolean isDevice(String name) throws IOException {
    HostPath path = HostPath.of(name);
    return path.exists() && path.status().type() == FileStatus.Type.BLOCK_DEVICE;
  }

  /**
   * Returns whether a name is a symbolic link, wherever it leads.
   *
   * @param name of the file; need not exist
   */
  public static boolean isLink(String name) {
    return HostPath.of(name).isLink();
  }

  /**
   * Returns which file a name leads to, whatever other names it has.
   *
   * @param name of the file
   * @return null if there is none
   * @throws IOException if it exists but cannot be looked at
   */
  public static @Nullable FileKey keyOf(String name) throws IOException {
    HostPath path = HostPath.of(name);
    return path.exists() ? path.status().key() : null;
  }
}
