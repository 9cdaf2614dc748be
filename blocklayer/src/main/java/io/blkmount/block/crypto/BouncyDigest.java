// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.crypto;

import java.security.MessageDigest;
import org.bouncycastle.crypto.Digest;
import org.bouncycastle.crypto.digests.RIPEMD160Digest;
import org.bouncycastle.crypto.digests.SM3Digest;

/** A hash that the Java platform has not, from Bouncy Castle, without its provider. */
final class BouncyDigest extends MessageDigest {
  private final Digest digest;

  private BouncyDigest(Digest digest) {
    super(digest.getAlgorithmName());
    this.digest = digest;
  }

  static MessageDigest of(HashAlgorithm hash) {
    return new BouncyDigest(engine(hash));
  }

  /** Returns the hash itself, as Bouncy Castle has it. */
  static Digest engine(HashAlgorithm hash) {
    return switch (hash) {
      case RIPEMD160 -> new RIPEMD160Digest();
      case SM3 -> new SM3Digest();
      default -> throw new IllegalArgumentException("the Java platform has " + hash);
    };
  }

  @Override
  protected int engineGetDigestLength() {
    return digest.getDigestSize();
  }

  @Override
  protected void engineUpdate(byte input) {
    digest.update(input);
  }

  @Override
  protected void engineUpdate(byte[] input, int offset, int length) {
    digest.update(input, offset, length);
  }

  @Override
  protected byte[] engineDigest() {
    byte[] result = new byte[digest.getDigestSize()];
    digest.doFinal(result, 0);
    return result;
  }

  @Override
  protected void engineReset() {
    digest.reset();
  }
}
