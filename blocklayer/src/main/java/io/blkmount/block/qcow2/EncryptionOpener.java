// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.bytes.Alignment;
import io.blkmount.block.crypto.CipherSpec;
import io.blkmount.block.crypto.LegacyKey;
import io.blkmount.block.crypto.LuksKeyArea;
import io.blkmount.block.crypto.SecretBytes;
import io.blkmount.block.crypto.SectorCipher;
import io.blkmount.block.driver.ChildOpener;
import io.blkmount.block.driver.DriverOptions;
import io.blkmount.block.driver.KeySource;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import io.blkmount.block.qcow2.HeaderExtensions.CryptoPointer;
import java.io.IOException;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/** Finds out how an image is encrypted, asks for its key, and makes its cipher. */
final class EncryptionOpener {
  private final DriverOptions options;
  private final ChildOpener.Child file;
  private final Qcow2Header header;

  private EncryptionOpener(DriverOptions options, ChildOpener.Child file, Qcow2Header header) {
    this.options = options;
    this.file = file;
    this.header = header;
  }

  /**
   * Opens the encryption of an image.
   *
   * @return null if it has none; the caller closes it
   * @throws BlockException {@code ACCESS_DENIED} if there is no key, or a wrong one; {@code
   *     NOT_SUPPORTED} for a cipher that we do not have
   * @throws IOException if the LUKS header is damaged or cannot be read
   */
  static @Nullable GuestCipher open(
      DriverOptions options,
      Qcow2Options own,
      ChildOpener.Child file,
      Qcow2Header header,
      HeaderExtensions extensions)
      throws IOException {
    requireFormat(options, own.encryptFormat(), format(header));
    EncryptionOpener opener = new EncryptionOpener(options, file, header);
    return switch (header.cryptMethod()) {
      case Qcow2Header.CRYPT_AES -> opener.legacy();
      case Qcow2Header.CRYPT_LUKS -> opener.luks(extensions.crypto());
      default -> null;
    };
  }

  private static String format(Qcow2Header header) {
    return switch (header.cryptMethod()) {
      case Qcow2Header.CRYPT_AES -> "aes";
      case Qcow2Header.CRYPT_LUKS -> "luks";
      default -> "none";
    };
  }

  private static void requireFormat(DriverOptions options, @Nullable String wanted, String found)
      throws BlockException {
    if (wanted != null && !wanted.equals(found)) {
      throw new BlockException(
          BlockError.INVALID,
          options.imageName() + ": encrypt.format=" + wanted + ", but its encryption is " + found);
    }
  }

  private @Nullable GuestCipher legacy() throws IOException {
    requireWholeSectors();
    byte[] key = key();
    if (key == null) {
      return GuestCipher.locked(options.imageName());
    }
    try (SecretBytes secret = LegacyKey.of(key)) {
      return GuestCipher.legacy(
          options.imageName(), SectorCipher.of(CipherSpec.LEGACY_QCOW2, secret));
    } finally {
      Arrays.fill(key, (byte) 0);
    }
  }

  private GuestCipher luks(@Nullable CryptoPointer pointer) throws IOException {
    requireWholeSectors();
    assert pointer != null : "the extensions were checked";
    String name = options.imageName();
    LuksKeyArea area = LuksKeyArea.open(name, CryptoArea.of(name, file, header, pointer));
    byte[] passphrase = key();
    if (passphrase == null) {
      return GuestCipher.locked(name);
    }
    try (LuksKeyArea.Unlocked unlocked = area.unlock(passphrase)) {
      return GuestCipher.luks(name, SectorCipher.of(area.header().cipher(), unlocked.masterKey()));
    } finally {
      Arrays.fill(passphrase, (byte) 0);
    }
  }

  /** Part of a sector can neither be encrypted nor decrypted, and no writer makes such disks. */
  private void requireWholeSectors() throws IOException {
    HeaderRules.forFields(options.imageName())
        .require(
            Alignment.isAligned(header.length(), SectorCipher.SECTOR_SIZE),
            "size",
            header.length() + " is not a multiple of 512, as an encrypted disk's must be");
  }

  /** Returns null if the image is to stay locked. */
  private byte @Nullable [] key() throws IOException {
    byte[] key = options.keys().keyOf(options.imageName());
    if (key == null && options.keys() != KeySource.LOCKED) {
      throw new BlockException(
          BlockError.ACCESS_DENIED,
          "image \""
              + options.imageName()
              + "\" is encrypted ("
              + format(header)
              + ") and needs a key");
    }
    return key;
  }
}
