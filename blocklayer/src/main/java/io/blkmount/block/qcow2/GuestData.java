// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.driver.ChildOpener;
import java.io.IOException;

/**
 * Where guest data is stored: among the metadata in the image file, or in an external data file, in
 * which every byte has the offset by which the guest knows it.
 *
 * @param file the image file or the external data file
 * @param isExternal whether it is the latter
 * @param isRaw whether the external data file, read as it stands, is the disk at any time
 */
record GuestData(ChildOpener.Child file, boolean isExternal, boolean isRaw) {
  /**
   * Opens the external data file if the header says that there is one.
   *
   * @param children opens it
   * @param image the image file
   */
  static GuestData open(
      ChildOpener children,
      ChildOpener.Child image,
      Qcow2Header header,
      HeaderExtensions extensions)
      throws IOException {
    if (!header.hasIncompatible(FeatureBits.EXTERNAL_DATA_FILE)) {
      return new GuestData(image, false, false);
    }
    ChildOpener.Child file = children.openData(extensions.dataFileName());
    return new GuestData(file, true, FeatureBits.hasRawData(header));
  }

  /** Makes durable what the image file's flush does not: nothing unless the data is elsewhere. */
  void flush() throws IOException {
    if (isExternal) {
      file.flush();
    }
  }
}
