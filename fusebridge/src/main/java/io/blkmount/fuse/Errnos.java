// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse;

import io.blkmount.block.error.BlockError;
import java.util.EnumMap;
import java.util.Map;

/** The errno of each error, with the numbers of Linux: they go to the kernel as they are. */
public final class Errnos {
  /** EPERM. */
  public static final int NOT_PERMITTED = 1;

  /** ENOENT. */
  public static final int NOT_FOUND = 2;

  /** EINTR. */
  public static final int INTERRUPTED = 4;

  /** EIO. */
  public static final int IO = 5;

  /** EAGAIN. */
  public static final int TRY_AGAIN = 11;

  /** EBUSY. */
  public static final int BUSY = 16;

  /** ENODEV. */
  public static final int NO_DEVICE = 19;

  /** EROFS. */
  public static final int READ_ONLY = 30;

  /** ECONNABORTED: what an aborted mount answers. */
  private static final int CONNECTION_ABORTED = 103;

  /** ENOTCONN: what a mount answers whose server is gone. */
  private static final int NOT_CONNECTED = 107;

  private static final Map<BlockError, Integer> NUMBERS = new EnumMap<>(BlockError.class);

  static {
    NUMBERS.put(BlockError.NOT_PERMITTED, NOT_PERMITTED);
    NUMBERS.put(BlockError.NOT_FOUND, NOT_FOUND);
    NUMBERS.put(BlockError.INTERRUPTED, INTERRUPTED);
    NUMBERS.put(BlockError.IO, IO);
    NUMBERS.put(BlockError.NO_SUCH_DEVICE_OR_ADDRESS, 6); // ENXIO
    NUMBERS.put(BlockError.LOCKED, TRY_AGAIN);
    NUMBERS.put(BlockError.NO_MEMORY, 12); // ENOMEM
    NUMBERS.put(BlockError.ACCESS_DENIED, 13); // EACCES
    NUMBERS.put(BlockError.BUSY, BUSY);
    NUMBERS.put(BlockError.NOT_DIRECTORY, 20); // ENOTDIR
    NUMBERS.put(BlockError.IS_DIRECTORY, 21); // EISDIR
    NUMBERS.put(BlockError.INVALID, 22); // EINVAL
    NUMBERS.put(BlockError.TOO_MANY_FILES, 24); // EMFILE
    NUMBERS.put(BlockError.TOO_BIG, 27); // EFBIG
    NUMBERS.put(BlockError.NO_SPACE, 28); // ENOSPC
    NUMBERS.put(BlockError.READ_ONLY, READ_ONLY);
    NUMBERS.put(BlockError.NAME_TOO_LONG, 36); // ENAMETOOLONG
    NUMBERS.put(BlockError.LOOP, 40); // ELOOP
    NUMBERS.put(BlockError.NOT_SUPPORTED, 95); // EOPNOTSUPP
    NUMBERS.put(BlockError.TIMED_OUT, 110); // ETIMEDOUT
    NUMBERS.put(BlockError.STALE, 116); // ESTALE
    NUMBERS.put(BlockError.QUOTA, 122); // EDQUOT
    NUMBERS.put(BlockError.NO_MEDIUM, 123); // ENOMEDIUM
  }

  private Errnos() {}

  /**
   * Returns the errno of an error.
   *
   * @param error what went wrong
   */
  public static int of(BlockError error) {
    return NUMBERS.getOrDefault(error, IO);
  }

  /**
   * Returns the error of an errno, for calls that the bridge itself makes to the host: {@code
   * STALE} for whatever a dead mount answers.
   *
   * @param errno positive
   */
  public static BlockError errorOf(int errno) {
    if (errno == NOT_CONNECTED || errno == CONNECTION_ABORTED) {
      return BlockError.STALE;
    }
    for (Map.Entry<BlockError, Integer> entry : NUMBERS.entrySet()) {
      if (entry.getValue() == errno) {
        return entry.getKey();
      }
    }
    return BlockError.IO;
  }
}
