// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.file;

import io.blkmount.block.bytes.BouncePool;
import io.blkmount.block.bytes.HostName;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/**
 * The name of a host file, and the system calls that take one.
 *
 * @param hostName as {@link HostName} decodes it
 * @param shownName the name for messages
 */
record HostPath(String hostName, String shownName) {
  private static final int STATX_MASK = LibC.STATX_BASIC_STATS | LibC.STATX_DIOALIGN;

  /**
   * Returns a path that messages show as it is.
   *
   * @param hostName as {@link HostName} decodes it
   */
  static HostPath of(String hostName) {
    return new HostPath(hostName, hostName);
  }

  /** Returns the name for messages, on one line and in quotes. */
  String quoted() {
    return '"' + HostName.printable(shownName) + '"';
  }

  /**
   * Opens the file and returns its descriptor; O_CLOEXEC and O_NOCTTY are added.
   *
   * @param flags O_RDONLY or O_RDWR and others
   * @param mode of a new file, before the umask
   * @throws BlockException if it cannot be opened
   */
  int open(int flags, int mode) throws BlockException {
    try (BouncePool.Bounce name = encoded()) {
      int all = flags | LibC.O_CLOEXEC | LibC.O_NOCTTY;
      int descriptor;
      do {
        descriptor = LibC.CALLS.open(LibC.address(name.buffer()), all, mode);
      } while (descriptor < 0 && LibC.errno() == Errno.EINTR);
      if (descriptor < 0) {
        throw openFailure(flags, Errno.of(LibC.errno()));
      }
      return descriptor;
    }
  }

  /**
   * Asks for the status without opening the file; symbolic links are followed.
   *
   * @throws BlockException if there is no such file
   */
  FileStatus status() throws BlockException {
    try (BouncePool.Bounce name = encoded()) {
      FileStatus status = statx(LibC.AT_FDCWD, name.buffer(), 0);
      if (status == null) {
        throw openFailure(LibC.O_RDONLY, Errno.of(LibC.errno()));
      }
      return status;
    }
  }

  /** Returns whether there is such a file. */
  boolean exists() {
    try (BouncePool.Bounce name = encoded()) {
      return statx(LibC.AT_FDCWD, name.buffer(), 0) != null;
    } catch (BlockException notAName) {
      return false;
    }
  }

  /** Returns whether the name is a symbolic link, wherever it leads. */
  boolean isLink() {
    try (BouncePool.Bounce name = encoded()) {
      FileStatus status = statx(LibC.AT_FDCWD, name.buffer(), LibC.AT_SYMLINK_NOFOLLOW);
      return status != null && status.type() == FileStatus.Type.SYMBOLIC_LINK;
    } catch (BlockException notAName) {
      return false;
    }
  }

  /**
   * Removes the name.
   *
   * @throws BlockException if it cannot be removed
   */
  void unlink() throws BlockException {
    try (BouncePool.Bounce name = encoded()) {
      if (LibC.CALLS.unlink(LibC.address(name.buffer())) < 0) {
        Errno errno = Errno.of(LibC.errno());
        throw new BlockException(errno.error(), "cannot remove " + quoted() + ": " + errno.text());
      }
    }
  }

  /**
   * Calls statx(2).
   *
   * @param directory a descriptor or AT_FDCWD
   * @param name closed by NUL; a direct buffer
   * @param flags AT_EMPTY_PATH for the descriptor itself, AT_SYMLINK_NOFOLLOW for a link itself
   * @return null if the call failed; errno tells why
   */
  static @Nullable FileStatus statx(int directory, ByteBuffer name, int flags) {
    try (BouncePool.Bounce bounce = BouncePool.take(FileStatus.BYTES)) {
      ByteBuffer statx = LibC.struct(bounce);
      long address = LibC.address(statx);
      int result;
      do {
        result = LibC.CALLS.statx(directory, LibC.address(name), flags, STATX_MASK, address);
      } while (result < 0 && LibC.errno() == Errno.EINTR);
      return result < 0 ? null : FileStatus.decode(statx);
    }
  }

  /** Borrows memory with the name in it, closed by NUL. */
  private BouncePool.Bounce encoded() throws BlockException {
    if (hostName.isEmpty() || hostName.indexOf('\0') >= 0) {
      throw new BlockException(
          BlockError.NOT_FOUND, "cannot open " + quoted() + ": not a file name");
    }
    byte[] bytes = HostName.encode(hostName);
    BouncePool.Bounce bounce = BouncePool.take(bytes.length + 1);
    bounce.buffer().duplicate().put(bytes).put((byte) 0);
    return bounce;
  }

  private BlockException openFailure(int flags, Errno errno) {
    boolean writing = (flags & LibC.O_RDWR) != 0 && (flags & LibC.O_CREAT) == 0;
    boolean hint = writing && isAboutWriting(errno);
    return new BlockException(
        errno.error(),
        ((flags & LibC.O_CREAT) != 0 ? "cannot create " : "cannot open ")
            + quoted()
            + (hint ? " for writing: " : ": ")
            + reason(flags, errno)
            + (hint ? " (read-only with -r)" : ""));
  }

  private static boolean isAboutWriting(Errno errno) {
    return switch (errno.number()) {
      case Errno.EACCES, Errno.EBUSY, Errno.EPERM, Errno.EROFS, Errno.ETXTBSY -> true;
      default -> false;
    };
  }

  private static String reason(int flags, Errno errno) {
    if (errno.number() == Errno.EBUSY && (flags & LibC.O_EXCL) != 0) {
      return "the device is in use by the host, perhaps mounted";
    }
    if (errno.number() == Errno.EINVAL && (flags & LibC.directFlag()) != 0) {
      return "its file system does not support O_DIRECT (needs another cache mode)";
    }
    return errno.text();
  }
}
