// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.crypto;

import io.blkmount.block.bytes.HostName;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import java.util.Arrays;
import java.util.List;

/** The block ciphers that QEMU takes for LUKS, those of later versions included. */
public enum CipherAlgorithm {
  /** What QEMU takes if nothing is said. */
  AES("aes", 16, List.of(16, 24, 32)),
  /** RFC 2144, with blocks of 8 bytes: XTS cannot take it. */
  CAST5("cast5", 8, List.of(16)),
  /** In the byte order of its NESSIE submission. */
  SERPENT("serpent", 16, List.of(16, 24, 32)),
  /** As its designers published it. */
  TWOFISH("twofish", 16, List.of(16, 24, 32)),
  /** GB/T 32907; since QEMU 9.0. */
  SM4("sm4", 16, List.of(16));

  private final String luksName;
  private final int blockLength;
  private final List<Integer> keyLengths;

  CipherAlgorithm(String luksName, int blockLength, List<Integer> keyLengths) {
    this.luksName = luksName;
    this.blockLength = blockLength;
    this.keyLengths = keyLengths;
  }

  /**
   * Returns the cipher that a LUKS header names.
   *
   * @param name such as {@code serpent}
   * @throws BlockException {@code NOT_SUPPORTED} if there is none; the message has the name
   */
  public static CipherAlgorithm named(String name) throws BlockException {
    return Arrays.stream(values())
        .filter(some -> some.luksName.equals(name))
        .findFirst()
        .orElseThrow(
            () ->
                new BlockException(
                    BlockError.NOT_SUPPORTED,
                    "cipher algorithm \"" + HostName.printable(name) + "\" is not supported"));
  }

  /** Returns the name as LUKS headers have it. */
  public String luksName() {
    return luksName;
  }

  /**
   * Returns how QEMU's options name this cipher with a key, such as {@code serpent-256}.
   *
   * @param keyLength in bytes, one of {@link #keyLengths}
   */
  public String optionName(int keyLength) {
    return this == SM4 ? luksName : luksName + '-' + keyLength * Byte.SIZE;
  }

  /** Returns the lengths of the keys that LUKS allows, in bytes. */
  public List<Integer> keyLengths() {
    return keyLengths;
  }

  /** Returns the length of a block in bytes. */
  int blockLength() {
    return blockLength;
  }
}
