// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.crypto;

import java.security.SecureRandom;
import java.util.Arrays;

/** A key or what a key can be made from; overwritten with zeros when closed. */
public final class SecretBytes implements AutoCloseable {
  private final byte[] bytes;
  private boolean closed;

  private SecretBytes(byte[] bytes) {
    this.bytes = bytes;
  }

  /**
   * Returns a secret that keeps an array of its own; the caller wipes the source.
   *
   * @param source any length
   */
  public static SecretBytes copyOf(byte[] source) {
    return new SecretBytes(source.clone());
  }

  /**
   * Returns a secret that nobody knows.
   *
   * @param length in bytes
   * @param random where it comes from
   */
  public static SecretBytes random(int length, SecureRandom random) {
    SecretBytes secret = zeros(length);
    random.nextBytes(secret.bytes);
    return secret;
  }

  static SecretBytes zeros(int length) {
    return new SecretBytes(new byte[length]);
  }

  /** Returns a secret that takes over the array. */
  static SecretBytes owning(byte[] bytes) {
    return new SecretBytes(bytes);
  }

  /**
   * Returns the bytes themselves, not a copy: they turn to zeros when this is closed.
   *
   * @throws IllegalStateException if it is closed; zeros must not pass for a key
   */
  public byte[] bytes() {
    if (closed) {
      throw new IllegalStateException("the secret has been wiped");
    }
    return bytes;
  }

  /** Returns the length in bytes. */
  public int length() {
    return bytes.length;
  }

  /** Overwrites the bytes; closing again does nothing. */
  @Override
  public void close() {
    closed = true;
    Arrays.fill(bytes, (byte) 0);
  }

  /** Returns the length only. */
  @Override
  public String toString() {
    return "SecretBytes[length=" + bytes.length + "]";
  }
}
