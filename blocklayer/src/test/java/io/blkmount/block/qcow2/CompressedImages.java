// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.testing.Images;
import io.blkmount.block.testing.PagedBytes;
import io.blkmount.block.testing.QemuImg;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Images that qemu-img compressed. */
final class CompressedImages {
  private CompressedImages() {}

  /**
   * Returns a compressed image.
   *
   * @param disk what it shows
   * @param options for {@code -o}
   */
  static PagedBytes of(PagedBytes disk, String options) throws IOException {
    Path folder = Files.createTempDirectory("blkmount-compressed");
    Path raw = folder.resolve("disk.raw");
    Path file = folder.resolve("disk.qcow2");
    try {
      Images.store(disk, raw);
      QemuImg.img("convert", "-c", "-f", "raw", "-O", "qcow2", "-o", options, raw, file);
      return Images.load(file);
    } finally {
      Files.deleteIfExists(file);
      Files.deleteIfExists(raw);
      Files.delete(folder);
    }
  }
}
