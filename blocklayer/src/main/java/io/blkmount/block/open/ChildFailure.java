// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.open;

import io.blkmount.block.bytes.HostName;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import java.io.IOException;

/** What to say when a file that an image names cannot be opened: both names, and where it was. */
final class ChildFailure {
  private ChildFailure() {}

  /**
   * Returns an exception with the error of its cause.
   *
   * @param what the file is to the image, such as "backing file"
   * @param name of the file as the image spells it
   * @param image that names it
   * @param folder that the name is relative to; not said if it is empty
   */
  static BlockException of(
      String what, String name, String image, String folder, IOException cause) {
    BlockError error = BlockException.errorOf(cause);
    String reason = cause.getMessage();
    if (error == BlockError.NOT_FOUND) {
      reason = "no such file" + (name.startsWith("/") ? "" : " (looked in " + folder + ")");
    }
    return new BlockException(
        error,
        "cannot open "
            + what
            + " \""
            + HostName.printable(name)
            + "\" of \""
            + HostName.printable(image)
            + "\": "
            + reason,
        cause);
  }
}
