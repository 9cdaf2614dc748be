// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.crypto;

import io.blkmount.block.bytes.HostName;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * What encrypts the sectors of an image: a cipher with a key length, a mode and an IV generator.
 *
 * @param algorithm of the blocks
 * @param keyLength in bytes; for XTS of both halves together
 * @param mode how blocks depend on each other
 * @param ivGenerator how a sector's number becomes its IV
 * @param ivHash of an ESSIV generator, null for the others
 */
public record CipherSpec(
    CipherAlgorithm algorithm,
    int keyLength,
    CipherMode mode,
    IvGenerator ivGenerator,
    @Nullable HashAlgorithm ivHash) {
  /** AES-256, xts-plain64: what QEMU takes if nothing is said. */
  public static final CipherSpec DEFAULT =
      new CipherSpec(CipherAlgorithm.AES, 64, CipherMode.XTS, IvGenerator.PLAIN64, null);

  /** The first encryption of qcow2, from before LUKS: AES-128, cbc-plain64. */
  public static final CipherSpec LEGACY_QCOW2 =
      new CipherSpec(CipherAlgorithm.AES, 16, CipherMode.CBC, IvGenerator.PLAIN64, null);

  /** Checks that there is such a cipher. */
  public CipherSpec {
    String problem = problem(algorithm, keyLength, mode);
    if (problem != null) {
      throw new IllegalArgumentException(problem);
    }
    if ((ivGenerator == IvGenerator.ESSIV) != (ivHash != null)) {
      throw new IllegalArgumentException("IV generator " + ivGenerator + " with hash " + ivHash);
    }
    if (ivHash != null && !algorithm.keyLengths().contains(ivHash.digestLength())) {
      throw new IllegalArgumentException("a digest of " + ivHash + " is no key of " + algorithm);
    }
  }

  /** Returns why no cipher has this shape, null if one does. */
  private static @Nullable String problem(
      CipherAlgorithm algorithm, int keyLength, CipherMode mode) {
    String name = "cipher " + algorithm.luksName() + " in mode " + mode.luksName();
    if (mode == CipherMode.XTS && algorithm.blockLength() != XtsMode.BLOCK) {
      return String.format(
          "%s: its blocks have %d bytes, the mode needs %d",
          name, algorithm.blockLength(), XtsMode.BLOCK);
    }
    boolean fits =
        keyLength % mode.keyCount() == 0
            && algorithm.keyLengths().contains(keyLength / mode.keyCount());
    return fits ? null : name + " takes no key of " + keyLength + " bytes";
  }

  /**
   * Returns the cipher that a LUKS header names.
   *
   * @param cipherName such as {@code aes}
   * @param cipherMode such as {@code xts-plain64} or {@code cbc-essiv:sha256}; a hash behind a
   *     generator that needs none is ignored, as QEMU and dm-crypt do
   * @param keyLength in bytes
   * @throws BlockException {@code NOT_SUPPORTED} if we have no such cipher; the message names the
   *     part that is missing
   */
  public static CipherSpec named(String cipherName, String cipherMode, int keyLength)
      throws BlockException {
    CipherAlgorithm algorithm = CipherAlgorithm.named(cipherName);
    int dash = cipherMode.indexOf('-');
    if (dash < 0) {
      throw unsupported("cipher mode without an IV generator", cipherMode);
    }
    CipherMode mode = modeNamed(cipherMode.substring(0, dash));
    String problem = problem(algorithm, keyLength, mode);
    if (problem != null) {
      throw new BlockException(BlockError.NOT_SUPPORTED, problem);
    }
    String[] iv = cipherMode.substring(dash + 1).split(":", 2);
    IvGenerator generator = generatorNamed(iv[0]);
    HashAlgorithm hash =
        generator == IvGenerator.ESSIV ? essivHash(algorithm, iv.length == 2 ? iv[1] : "") : null;
    return new CipherSpec(algorithm, keyLength, mode, generator, hash);
  }

  private static CipherMode modeNamed(String name) throws BlockException {
    return Arrays.stream(CipherMode.values())
        .filter(mode -> mode.luksName().equals(name))
        .findFirst()
        .orElseThrow(() -> unsupported("cipher mode", name));
  }

  private static IvGenerator generatorNamed(String name) throws BlockException {
    return Arrays.stream(IvGenerator.values())
        .filter(some -> some.luksName().equals(name))
        .findFirst()
        .orElseThrow(() -> unsupported("IV generator", name));
  }

  /** The digest is the key of the generator's own cipher, so not every hash will do. */
  private static HashAlgorithm essivHash(CipherAlgorithm algorithm, String name)
      throws BlockException {
    HashAlgorithm hash = HashAlgorithm.named(name);
    if (!algorithm.keyLengths().contains(hash.digestLength())) {
      throw new BlockException(
          BlockError.NOT_SUPPORTED,
          String.format(
              "IV generator essiv:%s is not supported: %s takes no key of %d bytes",
              name, algorithm.luksName(), hash.digestLength()));
    }
    return hash;
  }

  private static BlockException unsupported(String what, String name) {
    return new BlockException(
        BlockError.NOT_SUPPORTED, what + " \"" + HostName.printable(name) + "\" is not supported");
  }

  /** Returns the mode as LUKS headers have it, such as {@code cbc-essiv:sha256}. */
  public String luksMode() {
    String plain = mode.luksName() + '-' + ivGenerator.luksName();
    return ivHash == null ? plain : plain + ':' + ivHash.luksName();
  }
}
