// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.driver;

import java.io.IOException;
import org.jspecify.annotations.Nullable;

/** Where the keys of encrypted images come from. */
@FunctionalInterface
public interface KeySource {
  /** Has no key: encrypted images are not opened. */
  KeySource NONE = Keyless.NONE;

  /**
   * Opens encrypted images locked: their length and layout are seen, and reading or writing their
   * data fails.
   */
  KeySource LOCKED = Keyless.LOCKED;

  /**
   * Returns the key or passphrase of one image; asked once for each encrypted image of a chain,
   * while it is being opened, and not asked for others.
   *
   * @param imageName by which the image was opened
   * @return an array of its own, which the caller overwrites with zeros; null if there is no key
   * @throws IOException if the key cannot be got; its message says why, and nothing of the key
   */
  byte @Nullable [] keyOf(String imageName) throws IOException;
}
