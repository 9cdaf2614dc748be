// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.driver;

import org.jspecify.annotations.Nullable;

/** An instance whose image may name a backing file. */
public interface Backed {
  /** Returns what the image's header says of its backing file, or null if it names none. */
  @Nullable BackingReference backingReference();

  /**
   * Hands over the opened backing file, for copy-on-write. Called before the first request, and
   * again with every node drained when the chain changes.
   *
   * @param backing byte I/O on the backing node; null to detach: what the image does not hold reads
   *     as zeros then
   */
  void attachBacking(@Nullable BlockIo backing);
}
