// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.driver;

import java.io.IOException;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A driver that changes properties of images which were chosen when they were made. The image's
 * disk is not open meanwhile, and a guest sees no difference afterwards.
 */
public interface Amendable {
  /** Where the secrets are that options name. */
  @FunctionalInterface
  interface Secrets {
    /** Has none. */
    Secrets NONE = id -> null;

    /**
     * Returns a secret.
     *
     * @param id by which an option names it
     * @return an array of its own, which the caller overwrites with zeros; null if there is none
     * @throws IOException if it cannot be got
     */
    byte @Nullable [] secret(String id) throws IOException;
  }

  /**
   * Changes properties of an image. Everything is checked before anything changes, and the change
   * is durable when this returns. A crash at any point leaves an image that is as before or as
   * wanted, at worst with space that nothing uses.
   *
   * @param imageName for messages
   * @param file where the image is stored; nobody else uses it
   * @param values what to change, by the names of {@code qemu-img amend -o}; what is not named
   *     stays as it is
   * @param secrets that values name
   * @throws IOException with {@code INVALID} for a value that makes no sense for this image, {@code
   *     NOT_SUPPORTED} for a property that stays for ever or that the image cannot do without,
   *     {@code NO_SPACE}, {@code NAME_TOO_LONG}; if the file cannot be read or written, or what it
   *     holds is damaged
   */
  void amend(String imageName, ChildOpener.Child file, Map<String, String> values, Secrets secrets)
      throws IOException;
}
