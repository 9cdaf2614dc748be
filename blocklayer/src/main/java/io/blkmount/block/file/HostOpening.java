// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.file;

import io.blkmount.block.bytes.BouncePool;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import io.blkmount.block.file.FileStatus.Type;
import java.io.IOException;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/** From a name to an open, locked host file: what kind of file it is decides how it is opened. */
final class HostOpening {
  /** Room for a struct statfs, of which only the type, its first word, is looked at. */
  private static final int STATFS_BYTES = 256;

  private final HostFileOptions options;

  private HostOpening(HostFileOptions options) {
    this.options = options;
  }

  /**
   * Opens a regular file or block device.
   *
   * @param options what with
   * @throws IOException if it is neither, somebody else uses it, or the host refuses
   */
  static HostFile open(HostFileOptions options) throws IOException {
    return new HostOpening(options).open();
  }

  private HostFile open() throws IOException {
    // Asked before the open: to open a device or a pipe may already do something.
    Type type = options.path().status().type();
    requireStorage(options.path(), type);
    PosixFile file = PosixFile.open(options.path(), flags(type));
    try {
      return new HostFile(file, inspect(file));
    } catch (IOException | RuntimeException | Error failure) {
      closeAfter(failure, file);
      throw failure;
    }
  }

  private int flags(Type type) {
    int flags = options.writable() ? LibC.O_RDWR : LibC.O_RDONLY;
    if (options.direct()) {
      flags |= LibC.directFlag();
    }
    if (type != Type.BLOCK_DEVICE) {
      return flags
          | LibC.O_NONBLOCK; // should the name be a pipe by now, do not wait for its writer
    }
    // The kernel then refuses a device that is mounted or otherwise its own.
    return options.writable() ? flags | LibC.O_EXCL : flags;
  }

  private HostShape inspect(PosixFile file) throws BlockException {
    FileStatus status = file.status();
    requireStorage(options.path(), status.type());
    boolean device = status.type() == Type.BLOCK_DEVICE;
    if (!device) {
      requireNoPseudoFile(file);
      clearNonBlocking(file);
    }
    ImageLock.acquire(file, options);
    DirectAlignment direct = options.direct() ? DirectAlignment.of(file, status) : null;
    return device
        ? inspectDevice(file, status, direct)
        : new HostShape(status.key(), file.status().length(), options.writable(), 0, direct);
  }

  private HostShape inspectDevice(
      PosixFile file, FileStatus status, @Nullable DirectAlignment direct) throws BlockException {
    if (options.writable() && DeviceSpace.isReadOnly(file)) {
      throw new BlockException(
          BlockError.READ_ONLY,
          "cannot open "
              + file.quotedName()
              + " for writing: the device is read-only (read-only with -r)");
    }
    return new HostShape(
        status.key(),
        DeviceSpace.length(file),
        options.writable(),
        DeviceSpace.blockLength(file),
        direct);
  }

  /**
   * Fails unless bytes can be stored in such a file.
   *
   * @param path its name
   * @param type what it is
   */
  static void requireStorage(HostPath path, Type type) throws BlockException {
    if (type == Type.DIRECTORY) {
      throw new BlockException(
          BlockError.IS_DIRECTORY, "cannot open " + path.quoted() + ": is a directory");
    }
    if (type != Type.REGULAR && type != Type.BLOCK_DEVICE) {
      throw new BlockException(
          BlockError.INVALID,
          "cannot open "
              + path.quoted()
              + ": is "
              + type.text()
              + ", not a regular file or block device");
    }
  }

  /** A file of /proc or /sys looks regular, but reading and writing it are commands. */
  private static void requireNoPseudoFile(PosixFile file) throws BlockException {
    try (BouncePool.Bounce bounce = BouncePool.take(STATFS_BYTES)) {
      ByteBuffer statfs = LibC.struct(bounce);
      long address = LibC.address(statfs);
      file.control("get the file system of", fd -> LibC.CALLS.fstatfs(fd, address));
      if (LibC.isPseudoFileSystem(statfs.getLong(0))) {
        throw new BlockException(
            BlockError.INVALID,
            "cannot open " + file.quotedName() + ": is a file that the kernel makes up");
      }
    }
  }

  private void clearNonBlocking(PosixFile file) throws BlockException {
    int flags = options.direct() ? LibC.directFlag() : 0;
    file.control("set the flags of", fd -> LibC.CALLS.fcntl(fd, LibC.F_SETFL, flags));
  }

  /**
   * Closes a file that something has gone wrong with.
   *
   * @param failure what; gets what fails here
   * @param file to close
   */
  static void closeAfter(Throwable failure, PosixFile file) {
    try {
      file.close();
    } catch (IOException second) {
      failure.addSuppressed(second);
    }
  }
}
