// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.error;

import java.io.IOException;

/**
 * The world failed: a request could not be done, for the reason in {@link #error()}.
 *
 * <p>The message says what, where, how much and against what, in one line.
 */
public class BlockException extends IOException {
  private static final long serialVersionUID = 1L;

  private final BlockError error;

  /**
   * Creates an exception.
   *
   * @param error what the caller's errno is made from
   * @param message one line, lower case start, no full stop
   */
  public BlockException(BlockError error, String message) {
    this(error, message, null);
  }

  /**
   * Creates an exception with a cause.
   *
   * @param error what the caller's errno is made from
   * @param message one line, lower case start, no full stop
   * @param cause what a lower layer said, or null
   */
  public BlockException(BlockError error, String message, Throwable cause) {
    super(message, cause);
    this.error = error;
  }

  /** Returns what went wrong. */
  public final BlockError error() {
    return error;
  }

  /**
   * Returns the error of any I/O failure: its own for a {@code BlockException}, else {@code IO}.
   *
   * @param failure what was caught
   */
  public static BlockError errorOf(IOException failure) {
    return failure instanceof BlockException ours ? ours.error() : BlockError.IO;
  }
}
