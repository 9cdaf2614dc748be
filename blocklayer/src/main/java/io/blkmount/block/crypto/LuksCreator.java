// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.crypto;

import io.blkmount.block.bytes.Alignment;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import java.io.IOException;
import java.security.SecureRandom;
import java.util.UUID;

/** Makes new LUKS headers. */
public final class LuksCreator {
  /** As elsewhere: the digest is made once for each slot that a passphrase is tried on. */
  private static final long DIGEST_SHARE = 8;

  private LuksCreator() {}

  /**
   * Returns how many bytes {@link #create} needs, key material included.
   *
   * @param options of the header
   */
  public static long lengthFor(LuksOptions options) {
    return LuksHeader.areaLength(options.cipher().keyLength());
  }

  /**
   * Writes a new header without any passphrase; the first {@link LuksKeyArea#add} must follow.
   *
   * @param imageName for messages
   * @param area of at least {@link #lengthFor} bytes
   * @param options how
   * @param masterKey of the cipher's key length, made at random; stays the caller's
   * @param timer of this machine
   * @throws BlockException {@code NOT_SUPPORTED} for a key whose material ends inside a sector
   * @throws IOException if the area cannot be written
   */
  public static LuksKeyArea create(
      String imageName,
      HeaderArea area,
      LuksOptions options,
      SecretBytes masterKey,
      IterationTimer timer)
      throws IOException {
    requireCreatable(imageName, options);
    FixedBytes salt = FixedBytes.random(LuksHeader.SALT_LENGTH, new SecureRandom());
    int iterations =
        timer.iterationsFor(
            options.hash(), LuksHeader.DIGEST_LENGTH, options.iterationMillis() / DIGEST_SHARE);
    MasterKeyDigest digest = MasterKeyDigest.of(masterKey, options.hash(), salt, iterations);
    LuksHeader header = LuksHeader.laidOut(options, UUID.randomUUID().toString(), digest);
    area.write(0, header.encoded());
    area.flush();
    return new LuksKeyArea(new LuksRules(imageName), area, header);
  }

  /**
   * Fails for what {@link #create} refuses: QEMU 7.2 aborts when it opens a header whose key
   * material ends inside a sector, so none is made; one made elsewhere is opened.
   *
   * @param imageName for messages
   * @param options of the header
   * @throws BlockException {@code NOT_SUPPORTED}
   */
  public static void requireCreatable(String imageName, LuksOptions options) throws BlockException {
    CipherSpec cipher = options.cipher();
    long length = (long) cipher.keyLength() * LuksKeySlot.STRIPES;
    if (!Alignment.isAligned(length, SectorCipher.SECTOR_SIZE)) {
      throw new BlockException(
          BlockError.NOT_SUPPORTED,
          new LuksRules(imageName)
              .message(
                  "LUKS with "
                      + cipher.algorithm().luksName()
                      + " in mode "
                      + cipher.luksMode()
                      + " and a key of "
                      + cipher.keyLength()
                      + " bytes is not created: QEMU cannot open it"));
    }
  }
}
