// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.crypto;

import java.security.MessageDigest;
import java.security.SecureRandom;
import java.util.Arrays;
import java.util.HexFormat;

/** Bytes that mean nothing by themselves and are no secret, such as a salt; a value. */
public final class FixedBytes {
  private final byte[] bytes;

  private FixedBytes(byte[] bytes) {
    this.bytes = bytes;
  }

  /**
   * Returns a value with these bytes.
   *
   * @param source copied
   */
  public static FixedBytes copyOf(byte[] source) {
    return new FixedBytes(source.clone());
  }

  static FixedBytes random(int length, SecureRandom random) {
    byte[] bytes = new byte[length];
    random.nextBytes(bytes);
    return new FixedBytes(bytes);
  }

  static FixedBytes zeros(int length) {
    return new FixedBytes(new byte[length]);
  }

  /** Returns a copy of the bytes. */
  public byte[] toArray() {
    return bytes.clone();
  }

  /** Returns the length in bytes. */
  public int length() {
    return bytes.length;
  }

  /** Returns whether the bytes are these, in a time that does not tell how many are. */
  boolean matches(SecretBytes secret) {
    return MessageDigest.isEqual(bytes, secret.bytes());
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof FixedBytes that && Arrays.equals(bytes, that.bytes);
  }

  @Override
  public int hashCode() {
    return Arrays.hashCode(bytes);
  }

  @Override
  public String toString() {
    return HexFormat.of().formatHex(bytes);
  }
}
