// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.crypto;

import java.util.Arrays;
import org.bouncycastle.crypto.macs.HMac;
import org.bouncycastle.crypto.params.KeyParameter;

/** The HMAC of a hash that the Java platform has not, from Bouncy Castle. */
final class BouncyMac implements KeyedHash {
  private final HMac mac;

  private BouncyMac(HMac mac) {
    this.mac = mac;
  }

  static KeyedHash of(HashAlgorithm hash, SecretBytes key) {
    BouncyMac made = new BouncyMac(new HMac(BouncyDigest.engine(hash)));
    made.init(key);
    return made;
  }

  private void init(SecretBytes key) {
    KeyParameter copy = new KeyParameter(key.bytes());
    mac.init(copy);
    Arrays.fill(copy.getKey(), (byte) 0);
  }

  @Override
  public void update(byte[] input) {
    mac.update(input, 0, input.length);
  }

  @Override
  public void finish(byte[] target) {
    mac.doFinal(target, 0);
  }

  /** Another key takes the place of this one. */
  @Override
  public void close() {
    try (SecretBytes nothing = SecretBytes.zeros(mac.getMacSize())) {
      init(nothing);
    }
  }
}
