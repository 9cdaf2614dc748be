// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.driver;

import java.io.IOException;
import java.util.List;

/**
 * A driver whose images may have several keys. The image's disk is not open meanwhile; a crash at
 * any point leaves an image that one of its keys opens.
 */
public interface Encrypted {
  /**
   * Returns which key slots are in use.
   *
   * @param imageName for messages
   * @param file where the image is stored; only read
   * @return the indices from 0
   * @throws IOException with {@code NOT_SUPPORTED} if the image has no key slots
   */
  List<Integer> activeKeySlots(String imageName, BlockIo file) throws IOException;

  /**
   * Adds a key in the first free slot.
   *
   * @param imageName for messages
   * @param file where the image is stored
   * @param key that opens the image; stays the caller's, who wipes it
   * @param newKey to be added; stays the caller's, who wipes it
   * @param iterationMillis how long a try of the new key shall take on this machine, above 0
   * @return the slot's index from 0
   * @throws IOException with {@code ACCESS_DENIED} if {@code key} does not open the image, {@code
   *     NO_SPACE} if all slots are in use
   */
  int addKey(String imageName, BlockIo file, byte[] key, byte[] newKey, long iterationMillis)
      throws IOException;

  /**
   * Erases every slot that a key opens.
   *
   * @param imageName for messages
   * @param file where the image is stored
   * @param key to be erased; stays the caller's, who wipes it
   * @throws IOException with {@code ACCESS_DENIED} if it opens none, {@code NOT_PERMITTED} if no
   *     other key would be left; nothing has changed then
   */
  void eraseKey(String imageName, BlockIo file, byte[] key) throws IOException;

  /**
   * Erases a slot, whatever key opens it.
   *
   * @param imageName for messages
   * @param file where the image is stored
   * @param slot its index from 0
   * @throws IOException with {@code INVALID} if it is not in use, {@code NOT_PERMITTED} if no other
   *     is; nothing has changed then
   */
  void eraseKeySlot(String imageName, BlockIo file, int slot) throws IOException;
}
