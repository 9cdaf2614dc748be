// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.bytes.BouncePool;
import io.blkmount.block.crypto.SectorCipher;
import io.blkmount.block.driver.ChildOpener;
import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import java.io.IOException;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/**
 * Encrypts guest data on its way to the file and decrypts it on its way back. Stands for QEMU's
 * {@code qcow2_co_encrypt()} and {@code qcow2_co_decrypt()}.
 *
 * <p>Sectors are numbered by where they are stored under LUKS, and by where the guest has them
 * under the first encryption of qcow2.
 */
final class GuestCipher implements AutoCloseable {
  /** How much is encrypted before it is written: long enough for the file, and pooled. */
  private static final int MAX_PIECE = 1 << 20;

  private final String imageName;
  private final @Nullable SectorCipher sectors;
  private final boolean byHostOffset;

  private GuestCipher(String imageName, @Nullable SectorCipher sectors, boolean byHostOffset) {
    this.imageName = imageName;
    this.sectors = sectors;
    this.byHostOffset = byHostOffset;
  }

  /** Returns a cipher whose sectors have the numbers of their places in the file. */
  static GuestCipher luks(String imageName, SectorCipher sectors) {
    return new GuestCipher(imageName, sectors, true);
  }

  /** Returns a cipher whose sectors have the numbers of their places on the disk. */
  static GuestCipher legacy(String imageName, SectorCipher sectors) {
    return new GuestCipher(imageName, sectors, false);
  }

  /** Returns what stands for the cipher of an image whose key nobody gave: it fails. */
  static GuestCipher locked(String imageName) {
    return new GuestCipher(imageName, null, true);
  }

  /**
   * Fills {@code target} from a range of the file and decrypts it there.
   *
   * @param guestOffset of the first byte; of a whole sector
   * @param hostOffset where that byte is stored; of a whole sector
   * @param target whole sectors
   */
  void read(ChildOpener.Child file, long guestOffset, long hostOffset, ByteBuffer target)
      throws IOException {
    SectorCipher cipher = requireKey();
    int start = target.position();
    file.read(hostOffset, target);
    cipher.decrypt(sector(guestOffset, hostOffset), target.position(start));
  }

  /**
   * Encrypts all of {@code source} into memory of its own and writes it; the rest is as in {@link
   * #read}.
   */
  void write(ChildOpener.Child file, long guestOffset, long hostOffset, ByteBuffer source)
      throws IOException {
    SectorCipher cipher = requireKey();
    int start = source.position();
    int end = source.limit();
    try (BouncePool.Bounce bounce = BouncePool.take(Math.min(end - start, MAX_PIECE))) {
      for (int at = start; at < end; at = source.position()) {
        ByteBuffer piece = bounce.buffer().clear().limit(Math.min(end - at, MAX_PIECE));
        int done = at - start;
        cipher.encrypt(
            sector(guestOffset + done, hostOffset + done), source.limit(at + piece.limit()), piece);
        file.write(hostOffset + done, piece.flip(), WriteFlags.NONE);
      }
    } finally {
      source.limit(end);
    }
  }

  private long sector(long guestOffset, long hostOffset) {
    return (byHostOffset ? hostOffset : guestOffset) / SectorCipher.SECTOR_SIZE;
  }

  private SectorCipher requireKey() throws BlockException {
    if (sectors == null) {
      throw new BlockException(
          BlockError.ACCESS_DENIED,
          imageName + ": the image is encrypted and was opened without its key");
    }
    return sectors;
  }

  /** Wipes the key. */
  @Override
  public void close() {
    if (sectors != null) {
      sectors.close();
    }
  }
}
