// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.driver.DriverInstance;
import io.blkmount.block.driver.DriverOptions;
import io.blkmount.block.testing.Images;
import io.blkmount.block.testing.MemoryChild;
import io.blkmount.block.testing.MemoryInstance;
import io.blkmount.block.testing.PagedBytes;
import io.blkmount.block.testing.QemuImg;
import io.blkmount.block.testing.TestKey;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Internal snapshots, taken and read by qemu-img, and shown by the driver. */
final class SnapshotImages {
  private SnapshotImages() {}

  /** Returns an image with one snapshot more. */
  static PagedBytes take(PagedBytes image, @Nullable PagedBytes backing, String name) {
    try {
      Path folder = Files.createTempDirectory("blkmount-snapshot");
      Path file = folder.resolve("image.qcow2");
      Path base = folder.resolve("base.raw");
      Images.store(image, file);
      if (backing != null) {
        Images.store(backing, base);
      }
      QemuImg.onImage(file, "snapshot", "-c", name);
      PagedBytes taken = Images.load(file);
      Files.delete(file);
      Files.deleteIfExists(base);
      Files.delete(folder);
      return taken;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Opens a snapshot by id or name; the image has no backing file. */
  static DriverInstance open(PagedBytes image, String idOrName) throws IOException {
    return open(image, false, idOrName);
  }

  static DriverInstance open(PagedBytes image, boolean writable, String idOrName)
      throws IOException {
    Map<String, String> values = Map.of("internal-snapshot", idOrName);
    DriverOptions options = new DriverOptions("x", writable, values, TestKey.SOURCE);
    MemoryInstance host = MemoryInstance.file(image.copy(), 1);
    return new Qcow2Driver().open(options, new MemoryChild(host).opener());
  }

  /** Returns what the driver shows of a snapshot. */
  static byte[] read(PagedBytes image, String idOrName) throws IOException {
    try (DriverInstance disk = open(image, idOrName)) {
      ByteBuffer all = Images.read(disk, 0, (int) disk.length());
      byte[] bytes = new byte[all.remaining()];
      all.get(bytes);
      return bytes;
    }
  }

  /** Returns what qemu-img shows of a snapshot, as long as the disk is now. */
  static byte[] convert(Path file, String name) throws IOException {
    Path raw = file.resolveSibling("snapshot.raw");
    QemuImg.convert(file, raw, "-l", name);
    byte[] bytes = Files.readAllBytes(raw);
    Files.delete(raw);
    return bytes;
  }
}
