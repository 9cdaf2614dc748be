// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.bytes.Alignment;
import io.blkmount.block.crypto.SectorCipher;
import io.blkmount.block.driver.ChildOpener;
import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.error.CorruptImageException;
import java.io.IOException;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/**
 * Where guest data is stored: among the metadata in the image file, or in an external data file, in
 * which every byte has the offset by which the guest knows it.
 *
 * @param file the image file or the external data file
 * @param isExternal whether it is the latter
 * @param isRaw whether the external data file, read as it stands, is the disk at any time; never if
 *     it is encrypted
 * @param cipher what its clusters are encrypted with, or null
 */
record GuestData(
    ChildOpener.Child file, boolean isExternal, boolean isRaw, @Nullable GuestCipher cipher)
    implements AutoCloseable {
  /**
   * Opens the external data file if the header says that there is one.
   *
   * @param children opens it
   * @param image the image file
   * @param cipher of the image, or null
   */
  static GuestData open(
      ChildOpener children,
      ChildOpener.Child image,
      Qcow2Header header,
      HeaderExtensions extensions,
      @Nullable GuestCipher cipher)
      throws IOException {
    if (!header.hasIncompatible(FeatureBits.EXTERNAL_DATA_FILE)) {
      return new GuestData(image, false, false, cipher);
    }
    ChildOpener.Child file = children.openData(extensions.dataFileName());
    boolean isRaw = FeatureBits.hasRawData(header) && cipher == null;
    return new GuestData(file, true, isRaw, cipher);
  }

  boolean isEncrypted() {
    return cipher != null;
  }

  /**
   * Fails if a disk would end inside a sector, which can neither be encrypted nor decrypted.
   *
   * @param diskLength in bytes
   */
  void requireWholeSectors(long diskLength) throws CorruptImageException {
    if (isEncrypted() && !Alignment.isAligned(diskLength, SectorCipher.SECTOR_SIZE)) {
      throw new CorruptImageException(
          "encrypted disk: its length of " + diskLength + " bytes is not a multiple of 512");
    }
  }

  /**
   * Fills {@code target} from clusters that are stored as they are, or encrypted.
   *
   * @param guestOffset of the first byte; of a whole sector if the data is encrypted
   * @param hostOffset where that byte is stored
   * @param target whole sectors if the data is encrypted
   */
  void read(long guestOffset, long hostOffset, ByteBuffer target) throws IOException {
    if (cipher == null) {
      file.read(hostOffset, target);
    } else {
      cipher.read(file, guestOffset, hostOffset, target);
    }
  }

  /** Writes all of {@code source} and leaves its bytes alone; else as {@link #read}. */
  void write(long guestOffset, long hostOffset, ByteBuffer source) throws IOException {
    if (cipher == null) {
      file.write(hostOffset, source, WriteFlags.NONE);
    } else {
      cipher.write(file, guestOffset, hostOffset, source);
    }
  }

  /** Makes durable what the image file's flush does not: nothing unless the data is elsewhere. */
  void flush() throws IOException {
    if (isExternal) {
      file.flush();
    }
  }

  /** Forgets the key; the files are not closed. */
  @Override
  public void close() {
    if (cipher != null) {
      cipher.close();
    }
  }
}
