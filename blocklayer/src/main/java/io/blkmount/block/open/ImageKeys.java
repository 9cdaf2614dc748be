// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.open;

import io.blkmount.block.driver.Encrypted;
import java.io.IOException;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Adds and erases the keys of single encrypted images that nobody has open. A crash at any point
 * leaves an image that one of its keys opens.
 */
public final class ImageKeys {
  private final ClosedImage image;

  private ImageKeys(ClosedImage image) {
    this.image = image;
  }

  /**
   * Returns the keys of an image; nothing is opened yet.
   *
   * @param name which
   * @param format driver name, or null to probe
   * @throws IOException if the name is not one of an image
   */
  public static ImageKeys of(String name, @Nullable String format) throws IOException {
    return new ImageKeys(new ClosedImage(ImageReference.of(name), format));
  }

  /**
   * Returns which key slots are in use, from 0.
   *
   * @throws IOException with {@code NOT_SUPPORTED} if the image has no key slots
   */
  public List<Integer> activeSlots() throws IOException {
    return run(false, (driver, file) -> driver.activeKeySlots(file.name(), file));
  }

  /**
   * Adds a key in the first free slot.
   *
   * @param key that opens the image; stays the caller's, who wipes it
   * @param newKey to be added; stays the caller's, who wipes it
   * @param iterationMillis how long a try of the new key shall take on this machine, above 0
   * @return the slot's index from 0
   * @throws IOException with {@code ACCESS_DENIED} if {@code key} does not open the image, {@code
   *     NO_SPACE} if all slots are in use, {@code LOCKED} if somebody has the image open
   */
  public int add(byte[] key, byte[] newKey, long iterationMillis) throws IOException {
    return run(
        true, (driver, file) -> driver.addKey(file.name(), file, key, newKey, iterationMillis));
  }

  /**
   * Erases every slot that a key opens.
   *
   * @param key to be erased; stays the caller's, who wipes it
   * @throws IOException with {@code ACCESS_DENIED} if it opens none, {@code NOT_PERMITTED} if no
   *     other key would be left; nothing has changed then
   */
  public void erase(byte[] key) throws IOException {
    boolean unused =
        run(
            true,
            (driver, file) -> {
              driver.eraseKey(file.name(), file, key);
              return true;
            });
  }

  /**
   * Erases a slot, whatever key opens it.
   *
   * @param slot its index from 0
   * @throws IOException with {@code INVALID} if it is not in use, {@code NOT_PERMITTED} if no other
   *     is; nothing has changed then
   */
  public void eraseSlot(int slot) throws IOException {
    boolean unused =
        run(
            true,
            (driver, file) -> {
              driver.eraseKeySlot(file.name(), file, slot);
              return true;
            });
  }

  private <T> T run(boolean writable, ClosedImage.Action<Encrypted, T> action) throws IOException {
    return image.with(Encrypted.class, "no keys", writable, action);
  }
}
