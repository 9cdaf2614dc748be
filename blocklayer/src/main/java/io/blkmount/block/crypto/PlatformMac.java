// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.crypto;

import java.security.GeneralSecurityException;
import javax.crypto.Mac;
import javax.crypto.ShortBufferException;

/** The Java platform's HMAC. */
final class PlatformMac implements KeyedHash {
  private final String name;
  private final Mac mac;

  /**
   * Starts an HMAC.
   *
   * @param name of the platform, such as {@code HmacSHA256}
   * @param key any length, also none
   */
  PlatformMac(String name, SecretBytes key) {
    this.name = name;
    try {
      mac = Mac.getInstance(name);
      mac.init(new RawKey(name, key));
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("this Java has no " + name, e);
    }
  }

  @Override
  public void update(byte[] input) {
    mac.update(input);
  }

  @Override
  public void finish(byte[] target) {
    try {
      mac.doFinal(target, 0);
    } catch (ShortBufferException e) {
      throw new IllegalStateException(name + " has no " + target.length + " bytes", e);
    }
  }

  /** Another key takes the place of this one. */
  @Override
  public void close() {
    try (SecretBytes nothing = SecretBytes.zeros(mac.getMacLength())) {
      mac.init(new RawKey(name, nothing));
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException(name + " took a key before", e);
    }
  }
}
