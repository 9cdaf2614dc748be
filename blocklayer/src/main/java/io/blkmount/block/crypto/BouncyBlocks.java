// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.crypto;

import java.util.Arrays;
import org.bouncycastle.crypto.BlockCipher;
import org.bouncycastle.crypto.engines.CAST5Engine;
import org.bouncycastle.crypto.engines.SM4Engine;
import org.bouncycastle.crypto.engines.SerpentEngine;
import org.bouncycastle.crypto.engines.TwofishEngine;
import org.bouncycastle.crypto.params.KeyParameter;
import org.jspecify.annotations.Nullable;

/**
 * The ciphers that the Java platform has not, from Bouncy Castle's engines: no provider is
 * registered, and no class of theirs is loaded before an image needs one.
 */
final class BouncyBlocks implements KeyedBlocks {
  private final int blockLength;
  private final int keyLength;
  private final BlockCipher encryption;
  private final BlockCipher decryption;

  /** The last block that was encrypted in a chain, null if each block is by itself. */
  private final byte @Nullable [] chain;

  private BouncyBlocks(CipherAlgorithm algorithm, SecretBytes key, boolean chained) {
    blockLength = algorithm.blockLength();
    keyLength = key.length();
    encryption = engine(algorithm);
    decryption = engine(algorithm);
    chain = chained ? new byte[blockLength] : null;
    init(key);
  }

  static KeyedBlocks each(CipherAlgorithm algorithm, SecretBytes key) {
    return new BouncyBlocks(algorithm, key, false);
  }

  static KeyedBlocks chained(CipherAlgorithm algorithm, SecretBytes key) {
    return new BouncyBlocks(algorithm, key, true);
  }

  private static BlockCipher engine(CipherAlgorithm algorithm) {
    return switch (algorithm) {
      case CAST5 -> new CAST5Engine();
      case SERPENT -> new SerpentEngine();
      case TWOFISH -> new TwofishEngine();
      case SM4 -> new SM4Engine();
      case AES -> throw new IllegalArgumentException("the Java platform has AES");
    };
  }

  private void init(SecretBytes key) {
    KeyParameter copy = new KeyParameter(key.bytes());
    encryption.init(true, copy);
    decryption.init(false, copy);
    Arrays.fill(copy.getKey(), (byte) 0);
  }

  @Override
  public void encrypt(byte[] source, byte[] target, int offset, int length) {
    for (int at = offset; at < offset + length; at += blockLength) {
      if (chain == null) {
        encryption.processBlock(source, at, target, at);
      } else {
        Words.xor(chain, 0, source, at, blockLength);
        encryption.processBlock(chain, 0, target, at);
        System.arraycopy(target, at, chain, 0, blockLength);
      }
    }
  }

  @Override
  public void decrypt(byte[] source, byte[] target, int offset, int length) {
    for (int at = offset; at < offset + length; at += blockLength) {
      decryption.processBlock(source, at, target, at);
    }
  }

  /** Puts another key in the place of this one; an engine may leave its old schedule as garbage. */
  @Override
  public void close() {
    try (SecretBytes nothing = SecretBytes.zeros(keyLength)) {
      init(nothing);
    }
    if (chain != null) {
      Arrays.fill(chain, (byte) 0);
    }
  }
}
