// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.crypto;

/**
 * How a new LUKS header is made.
 *
 * @param cipher of the disk and of the key material
 * @param hash of the key derivation and of the splitter
 * @param iterationMillis how long a try of a passphrase shall take on this machine
 */
public record LuksOptions(CipherSpec cipher, HashAlgorithm hash, long iterationMillis) {
  /** What QEMU takes if nothing is said: AES-256, xts-plain64, sha256, two seconds. */
  public static final LuksOptions DEFAULT =
      new LuksOptions(CipherSpec.DEFAULT, HashAlgorithm.SHA256, 2000);

  /** Checks the shape. */
  public LuksOptions {
    if (iterationMillis < 1) {
      throw new IllegalArgumentException("iteration time in ms: " + iterationMillis);
    }
  }
}
