// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.file;

import com.kenai.jffi.MemoryIO;
import io.blkmount.block.bytes.BouncePool;
import io.blkmount.block.bytes.HostName;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import jnr.ffi.LibraryLoader;
import jnr.ffi.Runtime;
import org.jspecify.annotations.Nullable;

/**
 * One open descriptor of a host file. All I/O is positional, calls that a signal interrupted are
 * repeated, short transfers are continued, and an errno becomes a {@link BlockException} that says
 * what failed where. Any number of threads may call at once; an interrupt of a thread does nothing.
 */
final class PosixFile implements Closeable {
  private static final LibC.Calls C = LibraryLoader.create(LibC.Calls.class).load("c");
  private static final Runtime RUNTIME = Runtime.getRuntime(C);
  private static final MemoryIO MEMORY = MemoryIO.getInstance();
  private static final byte[] NO_NAME = {0};

  /** Longest piece of a heap buffer that is copied at once. */
  private static final int MAX_BOUNCE = 1 << 20;

  private static final int CLOSED = -1;

  private final String name;
  private volatile int descriptor;

  private PosixFile(int descriptor, String name) {
    this.descriptor = descriptor;
    this.name = name;
  }

  /**
   * Opens a file; O_CLOEXEC and O_NOCTTY are added.
   *
   * @param hostName as {@link HostName} decodes it
   * @param shownName the name for messages
   * @param flags O_RDONLY or O_RDWR and others
   * @param mode of a new file, before the umask
   * @throws BlockException if it cannot be opened
   */
  static PosixFile open(String hostName, String shownName, int flags, int mode)
      throws BlockException {
    byte[] bytes = encode(hostName, shownName);
    int result;
    do {
      result = C.open(bytes, flags | LibC.O_CLOEXEC | LibC.O_NOCTTY, mode);
    } while (result < 0 && interrupted());
    if (result < 0) {
      throw openFailure(shownName, flags, Errno.of(RUNTIME.getLastError()));
    }
    return new PosixFile(result, HostName.printable(shownName));
  }

  /**
   * Asks for the status of a file that need not be open, following symbolic links.
   *
   * @param hostName as {@link HostName} decodes it
   * @param shownName the name for messages
   * @throws BlockException if there is no such file
   */
  static FileStatus statusOf(String hostName, String shownName) throws BlockException {
    byte[] bytes = encode(hostName, shownName);
    FileStatus status = statx(LibC.AT_FDCWD, bytes, 0);
    if (status == null) {
      throw openFailure(shownName, LibC.O_RDONLY, Errno.of(RUNTIME.getLastError()));
    }
    return status;
  }

  /**
   * Removes a name.
   *
   * @param hostName as {@link HostName} decodes it
   * @throws BlockException if it cannot be removed
   */
  static void unlink(String hostName) throws BlockException {
    if (C.unlink(encode(hostName, hostName)) < 0) {
      Errno errno = Errno.of(RUNTIME.getLastError());
      throw new BlockException(
          errno.error(), "cannot remove " + quoted(hostName) + ": " + errno.text());
    }
  }

  /** Returns the name for messages, printable. */
  String name() {
    return name;
  }

  /**
   * Reads until {@code target} is full or the file ends.
   *
   * @param offset in bytes
   * @param target what stays remaining lies past the end of the file
   */
  void read(long offset, ByteBuffer target) throws BlockException {
    if (target.isDirect()) {
      readDirectly(offset, target);
    } else {
      readByCopy(offset, target);
    }
  }

  private void readDirectly(long offset, ByteBuffer target) throws BlockException {
    long memory = MEMORY.getDirectBufferAddress(target);
    int start = target.position();
    while (target.hasRemaining()) {
      int position = target.position();
      long at = offset + position - start;
      long count = C.pread(fd(), memory + position, target.remaining(), at);
      if (count == 0) {
        return;
      }
      if (count > 0) {
        target.position(position + (int) count);
      } else if (!interrupted()) {
        throw failure("read", at, target.remaining());
      }
    }
  }

  private void readByCopy(long offset, ByteBuffer target) throws BlockException {
    long at = offset;
    while (target.hasRemaining()) {
      try (BouncePool.Bounce bounce = BouncePool.take(Math.min(target.remaining(), MAX_BOUNCE))) {
        ByteBuffer copy = bounce.buffer();
        readDirectly(at, copy);
        boolean atEnd = copy.hasRemaining();
        at += copy.position();
        target.put(copy.flip());
        if (atEnd) {
          return;
        }
      }
    }
  }

  /**
   * Writes all of {@code source}.
   *
   * @param offset in bytes
   * @param source from position to limit
   */
  void write(long offset, ByteBuffer source) throws BlockException {
    if (source.isDirect()) {
      writeDirectly(offset, source);
    } else {
      writeByCopy(offset, source);
    }
  }

  private void writeDirectly(long offset, ByteBuffer source) throws BlockException {
    long memory = MEMORY.getDirectBufferAddress(source);
    int start = source.position();
    while (source.hasRemaining()) {
      int position = source.position();
      long at = offset + position - start;
      long count = C.pwrite(fd(), memory + position, source.remaining(), at);
      if (count > 0) {
        source.position(position + (int) count);
      } else if (count == 0) {
        throw failure("write", at, source.remaining(), Errno.of(5));
      } else if (!interrupted()) {
        throw failure("write", at, source.remaining());
      }
    }
  }

  private void writeByCopy(long offset, ByteBuffer source) throws BlockException {
    long at = offset;
    while (source.hasRemaining()) {
      int length = Math.min(source.remaining(), MAX_BOUNCE);
      try (BouncePool.Bounce bounce = BouncePool.take(length)) {
        bounce.buffer().put(source.slice().limit(length)).flip();
        writeDirectly(at, bounce.buffer());
      }
      source.position(source.position() + length);
      at += length;
    }
  }

  /**
   * Changes the length.
   *
   * @param length in bytes
   */
  void truncate(long length) throws BlockException {
    int result;
    do {
      result = C.ftruncate(fd(), length);
    } while (result < 0 && interrupted());
    if (result < 0) {
      throw failure("change the length of " + quoted(name) + " to " + length);
    }
  }

  /** Makes the data durable, and what of the metadata is needed to read it. */
  void syncData() throws BlockException {
    int result;
    do {
      result = C.fdatasync(fd());
    } while (result < 0 && interrupted());
    if (result < 0) {
      throw failure("flush " + quoted(name));
    }
  }

  /** Asks for the status. */
  FileStatus status() throws BlockException {
    FileStatus status = statx(fd(), NO_NAME, LibC.AT_EMPTY_PATH);
    if (status == null) {
      throw failure("get the status of " + quoted(name));
    }
    return status;
  }

  /** Closes the descriptor; it is gone even when this fails. */
  @Override
  public void close() throws IOException {
    int closing = fd();
    descriptor = CLOSED;
    // Linux has closed the descriptor when it says EINTR: a second close would hit somebody else's.
    if (C.close(closing) < 0 && RUNTIME.getLastError() != Errno.EINTR) {
      throw failure("close " + quoted(name));
    }
  }

  private int fd() throws BlockException {
    int open = descriptor;
    if (open == CLOSED) {
      throw new BlockException(BlockError.NO_MEDIUM, quoted(name) + " is closed");
    }
    return open;
  }

  private static @Nullable FileStatus statx(int directory, byte[] bytes, int flags) {
    int mask = LibC.STATX_BASIC_STATS | LibC.STATX_DIOALIGN;
    try (BouncePool.Bounce bounce = BouncePool.take(FileStatus.BYTES)) {
      ByteBuffer statx = bounce.buffer().order(ByteOrder.nativeOrder());
      int result;
      do {
        result = C.statx(directory, bytes, flags, mask, MEMORY.getDirectBufferAddress(statx));
      } while (result < 0 && interrupted());
      return result < 0 ? null : FileStatus.decode(statx);
    }
  }

  private static byte[] encode(String hostName, String shownName) throws BlockException {
    byte[] bytes = HostName.encode(hostName);
    if (hostName.isEmpty() || hostName.indexOf('\0') >= 0) {
      throw new BlockException(
          BlockError.NOT_FOUND, "cannot open " + quoted(shownName) + ": not a file name");
    }
    return Arrays.copyOf(bytes, bytes.length + 1);
  }

  private static boolean interrupted() {
    return RUNTIME.getLastError() == Errno.EINTR;
  }

  private static BlockException openFailure(String shownName, int flags, Errno errno) {
    boolean writing = (flags & LibC.O_RDWR) != 0;
    boolean hint =
        writing
            && (flags & LibC.O_CREAT) == 0
            && switch (errno.number()) {
              case Errno.EACCES, Errno.EPERM, Errno.EROFS, Errno.ETXTBSY -> true;
              default -> false;
            };
    return new BlockException(
        errno.error(),
        "cannot open "
            + quoted(shownName)
            + (hint ? " for writing: " : ": ")
            + errno.text()
            + (hint ? " (read-only with -r)" : ""));
  }

  private BlockException failure(String verb, long offset, long count) {
    return failure(verb, offset, count, Errno.of(RUNTIME.getLastError()));
  }

  private BlockException failure(String verb, long offset, long count, Errno errno) {
    return new BlockException(
        errno.error(),
        "cannot %s %s: %s: offset=%d count=%d"
            .formatted(verb, quoted(name), errno.text(), offset, count));
  }

  private static BlockException failure(String what) {
    Errno errno = Errno.of(RUNTIME.getLastError());
    return new BlockException(errno.error(), "cannot " + what + ": " + errno.text());
  }

  static String quoted(String name) {
    return '"' + HostName.printable(name) + '"';
  }
}
