// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.error;

/** The image is wrong: a structure in it breaks the rules of its format. */
public final class CorruptImageException extends BlockException {
  private static final long serialVersionUID = 1L;

  /**
   * Creates an exception for a structure at a known place.
   *
   * @param structure the format's name for it, such as "L2 table"
   * @param hostOffset where it lies, in bytes from the start of the image file
   * @param problem what is wrong, against what
   */
  public CorruptImageException(String structure, long hostOffset, String problem) {
    this(structure + " at host offset 0x" + Long.toHexString(hostOffset) + ": " + problem);
  }

  /**
   * Creates an exception with a message of its own.
   *
   * @param message one line, lower case start, no full stop
   */
  public CorruptImageException(String message) {
    super(BlockError.IO, message);
  }
}
