// SPDX-License-Identifier: Apache-2.0
package io.blkmount.nativetests.hostile;

/** The right answer to an image. */
enum Want {
  /** It is not opened. */
  REFUSE,
  /** It is opened for reading only. */
  RO,
  /** It is opened; what is damaged cannot be read, or nothing is written to it. */
  EIO,
  /** It works. */
  OK,
  /** It works, for all that it says of its size. */
  SLOWOK,
  /** It works or not, but nothing becomes worse. */
  SAFE,
  /** What it names is a matter of choice: shown, and not judged. */
  POLICY
}
