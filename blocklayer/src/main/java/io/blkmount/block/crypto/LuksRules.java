// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.crypto;

import io.blkmount.block.bytes.HostName;
import io.blkmount.block.error.CorruptImageException;

/**
 * Checks single values of a LUKS header; every failure names the image, the field and the rule.
 *
 * @param imageName for messages, as the user gave it
 */
record LuksRules(String imageName) {
  /** Fails unless {@code condition} holds. */
  void require(boolean condition, String field, String problem) throws CorruptImageException {
    if (!condition) {
      throw new CorruptImageException(message("LUKS header field " + field + ": " + problem));
    }
  }

  /** Returns a value that is in {@code min..max}. */
  int range(String field, long value, int min, int max) throws CorruptImageException {
    require(value >= min && value <= max, field, value + " is not in " + min + ".." + max);
    return (int) value;
  }

  /** Returns a message that starts with the image. */
  String message(String problem) {
    return "image \"" + HostName.printable(imageName) + "\": " + problem;
  }
}
