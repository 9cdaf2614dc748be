// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.driver;

import java.io.IOException;
import org.jspecify.annotations.Nullable;

/** An instance whose disk can be one of its files, so that the kernel may serve it from there. */
public interface Lendable {
  /**
   * Returns which child the bytes of the disk are in, one for one and to the end, or null if that
   * is no child; as far as it can be said without looking.
   */
  @Nullable ChildRole wholeFile();

  /**
   * Makes sure of it, before each time that the file is lent. From then on bytes of it change, and
   * are added at its end, without a request.
   *
   * @throws IOException with {@code NOT_SUPPORTED} or {@code BUSY} and what stands in the way; or
   *     if it cannot be found out
   */
  default void prepareLending() throws IOException {}

  /**
   * Makes what was added at the end of the file a part of the disk.
   *
   * @throws IOException if the disk cannot be that long; nothing of the file is lost then
   */
  default void followFile() throws IOException {}
}
