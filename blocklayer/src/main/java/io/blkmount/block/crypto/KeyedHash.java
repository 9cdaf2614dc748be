// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.crypto;

/** An HMAC with its key (RFC 2104); for one thread. */
interface KeyedHash extends AutoCloseable {
  /** Takes all bytes of {@code input}. */
  void update(byte[] input);

  /**
   * Stores the code of what was taken, and starts anew with the same key.
   *
   * @param target as long as a digest
   */
  void finish(byte[] target);

  /** Forgets the key. */
  @Override
  void close();
}
