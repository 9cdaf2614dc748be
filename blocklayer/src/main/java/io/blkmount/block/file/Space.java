// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.file;

import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;

/** What can be done with the space of a host file, inside its length. */
interface Space {
  /**
   * Makes a range read as zeros without writing them.
   *
   * @param offset in bytes
   * @param length in bytes, at least 1
   * @param flags {@code MAY_UNMAP} and {@code NO_FALLBACK} count
   * @throws BlockException with {@code NOT_SUPPORTED} if that cannot be done; nothing has changed
   */
  void zero(long offset, long length, WriteFlags flags) throws BlockException;

  /**
   * Gives space back.
   *
   * @param offset in bytes
   * @param length in bytes, at least 1
   * @throws BlockException with {@code NOT_SUPPORTED} if that cannot be done; nothing has changed
   */
  void discard(long offset, long length) throws BlockException;

  /**
   * Makes sure that writes need no new space.
   *
   * @param offset in bytes
   * @param length in bytes, at least 1
   * @throws BlockException with {@code NOT_SUPPORTED} if that cannot be promised
   */
  void reserve(long offset, long length) throws BlockException;

  /** A way to do something that a host may lack; that it does is found out once. */
  final class Way {
    private final Step step;
    private volatile boolean missing;

    Way(Step step) {
      this.step = step;
    }

    /** Does it; returns false, having changed nothing, if the host cannot. */
    boolean tried(long offset, long length) throws BlockException {
      if (missing) {
        return false;
      }
      try {
        step.apply(offset, length);
        return true;
      } catch (BlockException failure) {
        if (failure.error() != BlockError.NOT_SUPPORTED) {
          throw failure;
        }
        missing = true;
        return false;
      }
    }
  }

  /** Something done to a range. */
  @FunctionalInterface
  interface Step {
    void apply(long offset, long length) throws BlockException;
  }
}
