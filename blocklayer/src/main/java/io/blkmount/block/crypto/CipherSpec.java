// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.crypto;

import io.blkmount.block.bytes.HostName;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import java.util.Arrays;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * What encrypts the sectors of an image: AES with a key length, a mode and an IV generator.
 *
 * @param keyLength in bytes; for XTS of both halves together
 * @param mode how blocks depend on each other
 * @param ivGenerator how a sector's number becomes its IV
 * @param ivHash of an ESSIV generator, null for the others
 */
public record CipherSpec(
    int keyLength, CipherMode mode, IvGenerator ivGenerator, @Nullable HashAlgorithm ivHash) {
  /** First, since the constants below are checked against it. */
  private static final Set<Integer> AES_KEY_LENGTHS = Set.of(16, 24, 32);

  /** AES-256, xts-plain64: what QEMU takes if nothing is said. */
  public static final CipherSpec DEFAULT =
      new CipherSpec(64, CipherMode.XTS, IvGenerator.PLAIN64, null);

  /** The first encryption of qcow2, from before LUKS: AES-128, cbc-plain64. */
  public static final CipherSpec LEGACY_QCOW2 =
      new CipherSpec(16, CipherMode.CBC, IvGenerator.PLAIN64, null);

  /** Checks that there is such a cipher. */
  public CipherSpec {
    if (!isAesKey(keyLength, mode)) {
      throw new IllegalArgumentException(
          "AES in mode " + mode + " takes no key of " + keyLength + " bytes");
    }
    if ((ivGenerator == IvGenerator.ESSIV) != (ivHash != null)) {
      throw new IllegalArgumentException("IV generator " + ivGenerator + " with hash " + ivHash);
    }
    if (ivHash != null && !AES_KEY_LENGTHS.contains(ivHash.digestLength())) {
      throw new IllegalArgumentException("a digest of " + ivHash + " is no AES key");
    }
  }

  private static boolean isAesKey(int keyLength, CipherMode mode) {
    return keyLength % mode.keyCount() == 0
        && AES_KEY_LENGTHS.contains(keyLength / mode.keyCount());
  }

  /**
   * Returns the cipher that a LUKS header names.
   *
   * @param cipherName such as {@code aes}
   * @param cipherMode such as {@code xts-plain64} or {@code cbc-essiv:sha256}
   * @param keyLength in bytes
   * @throws BlockException {@code NOT_SUPPORTED} if we have no such cipher; the message names the
   *     part that is missing
   */
  public static CipherSpec named(String cipherName, String cipherMode, int keyLength)
      throws BlockException {
    if (!cipherName.equals("aes")) {
      throw unsupported("cipher algorithm", cipherName);
    }
    int dash = cipherMode.indexOf('-');
    if (dash < 0) {
      throw unsupported("cipher mode without an IV generator", cipherMode);
    }
    CipherMode mode = modeNamed(cipherMode.substring(0, dash));
    if (!isAesKey(keyLength, mode)) {
      throw new BlockException(
          BlockError.NOT_SUPPORTED,
          "cipher aes in mode " + mode.luksName() + " takes no key of " + keyLength + " bytes");
    }
    return withIv(keyLength, mode, cipherMode.substring(dash + 1));
  }

  private static CipherMode modeNamed(String name) throws BlockException {
    return Arrays.stream(CipherMode.values())
        .filter(mode -> mode.luksName().equals(name))
        .findFirst()
        .orElseThrow(() -> unsupported("cipher mode", name));
  }

  /** A hash behind a generator that needs none is ignored, as QEMU and dm-crypt do. */
  private static CipherSpec withIv(int keyLength, CipherMode mode, String iv)
      throws BlockException {
    String[] parts = iv.split(":", 2);
    IvGenerator generator =
        Arrays.stream(IvGenerator.values())
            .filter(some -> some.luksName().equals(parts[0]))
            .findFirst()
            .orElseThrow(() -> unsupported("IV generator", parts[0]));
    if (generator != IvGenerator.ESSIV) {
      return new CipherSpec(keyLength, mode, generator, null);
    }
    return new CipherSpec(keyLength, mode, generator, essivHash(parts.length == 2 ? parts[1] : ""));
  }

  /** The digest is the key of the generator's own AES, so not every hash will do. */
  private static HashAlgorithm essivHash(String name) throws BlockException {
    HashAlgorithm hash = HashAlgorithm.named(name);
    if (!AES_KEY_LENGTHS.contains(hash.digestLength())) {
      throw new BlockException(
          BlockError.NOT_SUPPORTED,
          "IV generator essiv:"
              + name
              + " is not supported: AES takes no key of "
              + hash.digestLength()
              + " bytes");
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
