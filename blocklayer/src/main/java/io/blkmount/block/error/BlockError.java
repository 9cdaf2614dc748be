// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.error;

/** What can go wrong below a request, one constant for each errno that can reach a caller. */
public enum BlockError {
  /** EPERM: the request is understood and refused by a rule of ours. */
  NOT_PERMITTED,
  /** ENOENT. */
  NOT_FOUND,
  /** EIO: the medium failed, or the image is damaged where the request needs it. */
  IO,
  /** ENXIO: nothing there, such as data past the last extent. */
  NO_SUCH_DEVICE_OR_ADDRESS,
  /** EAGAIN: somebody else holds a lock. */
  LOCKED,
  /** ENOMEM. */
  NO_MEMORY,
  /** EACCES. */
  ACCESS_DENIED,
  /** EBUSY. */
  BUSY,
  /** EISDIR. */
  IS_DIRECTORY,
  /** EINVAL. */
  INVALID,
  /** EFBIG. */
  TOO_BIG,
  /** ENOSPC. */
  NO_SPACE,
  /** EROFS. */
  READ_ONLY,
  /** EDQUOT. */
  QUOTA,
  /** EOPNOTSUPP. */
  NOT_SUPPORTED,
  /** ENOMEDIUM: the node is closed or its medium is gone. */
  NO_MEDIUM,
  /** ELOOP. */
  LOOP,
  /** ENAMETOOLONG. */
  NAME_TOO_LONG,
  /** ENOTDIR. */
  NOT_DIRECTORY,
  /** EMFILE or ENFILE. */
  TOO_MANY_FILES,
  /** ETIMEDOUT. */
  TIMED_OUT,
  /** ESTALE. */
  STALE,
  /** EINTR. */
  INTERRUPTED
}
