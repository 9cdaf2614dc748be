// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.file;

import io.blkmount.block.bytes.BouncePool;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import java.nio.ByteBuffer;

/**
 * Locks an image against other users, in the way that QEMU does and understands.
 *
 * <p>A shared lock on one byte says one thing about its holder:
 *
 * <pre>
 *              consistent read   write   write unchanged   resize
 *   I do it          100          101          102           103
 *   nobody else may  200          201          202           203
 * </pre>
 *
 * All locks are shared, so they never conflict by themselves; after taking its own, each user looks
 * whether somebody holds the opposite byte. They are "open file description" locks: they end with
 * the descriptor, however the process ends, and closing another descriptor of the file leaves them.
 *
 * <pre>
 * struct flock   0 s16 type   2 s16 whence   8 s64 start   16 s64 length   24 s32 pid, must be 0
 * </pre>
 */
final class ImageLock {
  /** First byte that says what its holder does. */
  static final int USED = 100;

  /** First byte that says what its holder does not want others to do. */
  static final int UNSHARED = 200;

  /** One past the last byte that is locked. */
  static final int END = 204;

  static final int READ = 0;
  static final int WRITE = 1;
  static final int RESIZE = 3;

  private static final System.Logger LOG = System.getLogger(ImageLock.class.getName());

  private static final int[] USED_BY_READER = {READ};
  private static final int[] USED_BY_WRITER = {READ, WRITE, RESIZE};
  private static final int[] UNSHARED_BY_ALL = {WRITE, RESIZE};
  private static final int FLOCK_BYTES = 32;

  private final PosixFile file;
  private final int[] used;

  private ImageLock(PosixFile file, boolean writable) {
    this.file = file;
    this.used = writable ? USED_BY_WRITER : USED_BY_READER;
  }

  /**
   * Locks an open file until it is closed.
   *
   * @param file what to lock
   * @param options whether to lock at all, and for what
   * @throws BlockException with {@code LOCKED} if somebody else uses the image in a way that does
   *     not go together with ours
   */
  static void acquire(PosixFile file, HostFileOptions options) throws BlockException {
    if (options.forceShare() || options.locking() == HostFileOptions.Locking.OFF) {
      return;
    }
    try {
      new ImageLock(file, options.writable()).acquire();
    } catch (BlockException failure) {
      if (!isUnsupported(failure) || options.locking() == HostFileOptions.Locking.ON) {
        throw failure;
      }
      LOG.log(
          System.Logger.Level.WARNING,
          "{0}; going on without locks, take care that nobody else uses the image",
          failure.getMessage());
    }
  }

  private static boolean isUnsupported(BlockException failure) {
    return switch (failure.error()) {
      case INVALID, NOT_SUPPORTED -> true;
      default -> false;
    };
  }

  private void acquire() throws BlockException {
    try {
      lock(LibC.F_RDLCK, USED, used);
      lock(LibC.F_RDLCK, UNSHARED, UNSHARED_BY_ALL);
      checkNobodyHolds(UNSHARED, used);
      checkNobodyHolds(USED, UNSHARED_BY_ALL);
    } catch (BlockException failure) {
      release(failure);
      throw failure;
    }
  }

  private void release(BlockException failure) {
    try {
      set(LibC.F_UNLCK, USED, END - USED);
    } catch (BlockException second) {
      failure.addSuppressed(second);
    }
  }

  private void lock(short type, int base, int[] permissions) throws BlockException {
    for (int permission : permissions) {
      set(type, base + permission, 1);
    }
  }

  private void set(short type, long start, long length) throws BlockException {
    try (BouncePool.Bounce bounce = BouncePool.take(FLOCK_BYTES)) {
      long address = LibC.address(flock(bounce, type, start, length));
      file.control("lock", fd -> LibC.CALLS.fcntl(fd, LibC.F_OFD_SETLK, address));
    }
  }

  private void checkNobodyHolds(int base, int[] permissions) throws BlockException {
    for (int permission : permissions) {
      if (isHeldByOthers(base + permission)) {
        throw conflict(base + permission);
      }
    }
  }

  private boolean isHeldByOthers(int start) throws BlockException {
    try (BouncePool.Bounce bounce = BouncePool.take(FLOCK_BYTES)) {
      ByteBuffer flock = flock(bounce, LibC.F_WRLCK, start, 1);
      long address = LibC.address(flock);
      file.control("lock", fd -> LibC.CALLS.fcntl(fd, LibC.F_OFD_GETLK, address));
      return flock.getShort(0) != LibC.F_UNLCK;
    }
  }

  private static ByteBuffer flock(BouncePool.Bounce bounce, short type, long start, long length) {
    return LibC.struct(bounce).putShort(0, type).putLong(8, start).putLong(16, length);
  }

  private BlockException conflict(int held) throws BlockException {
    boolean writing = isHeldByOthers(USED + WRITE);
    String holder = LockHolder.describe(file.descriptorInfo(), writing ? USED + WRITE : held);
    return new BlockException(
        BlockError.LOCKED,
        "cannot lock "
            + file.quotedName()
            + (writing ? ": in use for writing" : ": in use")
            + (holder == null ? ", is another process using the image?" : " by " + holder));
  }
}
