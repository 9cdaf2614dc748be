// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.file;

import io.blkmount.block.bytes.BouncePool;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * One open descriptor of a host file. All I/O is positional, calls that a signal interrupted are
 * repeated, short transfers are continued (reads with O_DIRECT are not), and an errno becomes a
 * {@link BlockException} that says what failed where. Any number of threads may call at once; an
 * interrupt of a thread does nothing.
 */
final class PosixFile implements Transfer, Closeable {
  /** What {@link #seek} returns for "nothing there before the end". */
  static final long NOTHING = -1;

  /** Longest piece of a heap buffer that is copied at once. */
  private static final int MAX_BOUNCE = 1 << 20;

  private static final ByteBuffer NO_NAME = ByteBuffer.allocateDirect(1);
  private static final int CLOSED = -1;

  private final HostPath path;
  private final boolean direct;
  private volatile int descriptor;

  private PosixFile(HostPath path, int flags, int mode) throws BlockException {
    this.path = path;
    this.direct = (flags & LibC.directFlag()) != 0;
    this.descriptor = path.open(flags, mode);
  }

  /**
   * Opens a file.
   *
   * @param path its name
   * @param flags O_RDONLY or O_RDWR and others; O_CLOEXEC and O_NOCTTY are added
   * @throws BlockException if it cannot be opened
   */
  static PosixFile open(HostPath path, int flags) throws BlockException {
    return new PosixFile(path, flags, 0);
  }

  /**
   * Opens a file that need not exist yet.
   *
   * @param path its name
   * @param flags O_EXCL and others; O_RDWR and O_CREAT are added
   * @param mode of a new file, before the umask
   * @throws BlockException if it cannot be opened
   */
  static PosixFile create(HostPath path, int flags, int mode) throws BlockException {
    return new PosixFile(path, flags | LibC.O_RDWR | LibC.O_CREAT, mode);
  }

  /**
   * Opens this very file once more, with an open file description of its own.
   *
   * @param flags as for {@link #open}
   */
  PosixFile openAgain(int flags) throws BlockException {
    return open(new HostPath("/proc/self/fd/" + fd(), path.shownName()), flags);
  }

  /** Returns the name for messages, in quotes. */
  String quotedName() {
    return path.quoted();
  }

  /** Returns the file in which /proc tells what is locked through this descriptor. */
  String descriptorInfo() throws BlockException {
    return "/proc/self/fdinfo/" + fd();
  }

  @Override
  public void read(long offset, ByteBuffer target) throws BlockException {
    if (target.isDirect()) {
      readDirectly(offset, target);
    } else {
      readByCopy(offset, target);
    }
  }

  private void readDirectly(long offset, ByteBuffer target) throws BlockException {
    long memory = LibC.address(target);
    int start = target.position();
    while (target.hasRemaining()) {
      int position = target.position();
      long at = offset + position - start;
      long count = LibC.CALLS.pread(fd(), memory + position, target.remaining(), at);
      if (count > 0) {
        target.position(position + (int) count);
      }
      // A short read with O_DIRECT may have ended inside a block: only the caller knows how to go
      // on.
      if (count == 0 || (direct && count > 0)) {
        return;
      }
      if (count < 0) {
        requireInterrupted("read", at, target.remaining());
      }
    }
  }

  private void readByCopy(long offset, ByteBuffer target) throws BlockException {
    long at = offset;
    boolean atEnd = false;
    while (target.hasRemaining() && !atEnd) {
      try (BouncePool.Bounce bounce = BouncePool.take(Math.min(target.remaining(), MAX_BOUNCE))) {
        ByteBuffer copy = bounce.buffer();
        readDirectly(at, copy);
        atEnd = copy.hasRemaining();
        at += copy.position();
        target.put(copy.flip());
      }
    }
  }

  @Override
  public void write(long offset, ByteBuffer source) throws BlockException {
    if (source.isDirect()) {
      writeDirectly(offset, source);
    } else {
      writeByCopy(offset, source);
    }
  }

  private void writeDirectly(long offset, ByteBuffer source) throws BlockException {
    long memory = LibC.address(source);
    int start = source.position();
    while (source.hasRemaining()) {
      int position = source.position();
      long at = offset + position - start;
      long count = LibC.CALLS.pwrite(fd(), memory + position, source.remaining(), at);
      if (count > 0) {
        source.position(position + (int) count);
      } else if (count == 0) {
        throw failure("write", at, source.remaining(), Errno.of(Errno.EIO));
      } else {
        requireInterrupted("write", at, source.remaining());
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
    while (LibC.CALLS.ftruncate(fd(), length) < 0) {
      requireInterrupted("change the length to " + length + " of");
    }
  }

  /**
   * Calls fallocate(2), never an emulation of it.
   *
   * @param verb for the message
   * @param mode FALLOC_FL flags
   * @param offset in bytes
   * @param length in bytes, at least 1
   * @throws BlockException with {@code NOT_SUPPORTED} if the file system cannot
   */
  void allocate(String verb, int mode, long offset, long length) throws BlockException {
    while (LibC.CALLS.fallocate(fd(), mode, offset, length) < 0) {
      requireInterrupted(verb, offset, length);
    }
  }

  /** Makes the data durable, and what of the metadata is needed to read it. */
  void syncData() throws BlockException {
    while (LibC.CALLS.fdatasync(fd()) < 0) {
      requireInterrupted("flush");
    }
  }

  /**
   * Finds the next data or hole.
   *
   * @param offset where to begin
   * @param whence SEEK_DATA or SEEK_HOLE
   * @return its offset, at least {@code offset}, or {@link #NOTHING}
   */
  long seek(long offset, int whence) throws BlockException {
    long found;
    while ((found = LibC.CALLS.lseek(fd(), offset, whence)) < 0) {
      if (LibC.errno() == Errno.ENXIO) {
        return NOTHING;
      }
      requireInterrupted("find data in", offset, 0);
    }
    return found;
  }

  /** Asks for the status. */
  FileStatus status() throws BlockException {
    FileStatus status = HostPath.statx(fd(), NO_NAME, LibC.AT_EMPTY_PATH);
    if (status == null) {
      throw failure("get the status of", Errno.of(LibC.errno()));
    }
    return status;
  }

  /**
   * Calls ioctl(2) or fcntl(2) with memory for its argument and result.
   *
   * @param verb for the message
   * @param call which and with what
   */
  void control(String verb, ControlCall call) throws BlockException {
    while (call.result(fd()) < 0) {
      requireInterrupted(verb);
    }
  }

  /** A system call on a descriptor; a negative result means that errno is set. */
  @FunctionalInterface
  interface ControlCall {
    int result(int descriptor);
  }

  /** Closes the descriptor; it is gone even when this fails. */
  @Override
  public void close() throws IOException {
    int closing = fd();
    descriptor = CLOSED;
    // Linux has closed the descriptor when it says EINTR: a second close would hit somebody else's.
    if (LibC.CALLS.close(closing) < 0 && LibC.errno() != Errno.EINTR) {
      throw failure("close", Errno.of(LibC.errno()));
    }
  }

  int fd() throws BlockException {
    int open = descriptor;
    if (open == CLOSED) {
      throw new BlockException(BlockError.NO_MEDIUM, path.quoted() + " is closed");
    }
    return open;
  }

  private void requireInterrupted(String verb) throws BlockException {
    int errno = LibC.errno();
    if (errno != Errno.EINTR) {
      throw failure(verb, Errno.of(errno));
    }
  }

  private void requireInterrupted(String verb, long offset, long count) throws BlockException {
    int errno = LibC.errno();
    if (errno != Errno.EINTR) {
      throw failure(verb, offset, count, Errno.of(errno));
    }
  }

  private BlockException failure(String verb, Errno errno) {
    return new BlockException(
        errno.error(), "cannot " + verb + ' ' + path.quoted() + ": " + errno.text());
  }

  private BlockException failure(String verb, long offset, long count, Errno errno) {
    String place = ": offset=" + offset + " count=" + count;
    return new BlockException(
        errno.error(), "cannot " + verb + ' ' + path.quoted() + ": " + errno.text() + place);
  }
}
