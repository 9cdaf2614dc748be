// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.testing.Images;
import io.blkmount.block.testing.PagedBytes;
import io.blkmount.block.testing.QemuImg;
import java.io.IOException;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * An image with some features of the format, as QEMU makes and fills it.
 *
 * @param features words such as {@code compressed snapshot}, and how it was made
 * @param content of the image file
 * @param data content of its external data file, or null
 */
record FeatureImage(String features, PagedBytes content, @Nullable PagedBytes data) {
  /** Name of the image in its folder. */
  static final String NAME = "image.qcow2";

  private static final String DATA_NAME = "data";
  private static final String LENGTH = "1536k";

  /**
   * Makes an image of 1.5 MiB.
   *
   * @param folder to make it in
   * @param features of {@code encrypted}, {@code compressed}, {@code backing}, {@code data}, {@code
   *     bitmaps} and {@code snapshot}; other words do nothing
   * @param options as for {@code -o}
   */
  static FeatureImage create(Path folder, String features, String options) {
    Path file = folder.resolve(NAME);
    if (features.contains("encrypted")) {
      QemuImg.createEncrypted(file, LENGTH, options);
      QemuImg.ioEncrypted(file, "write -P 1 0 300k", "write -P 2 700k 40k");
    } else {
      createPlain(folder, features, options);
      fill(file, features);
    }
    PagedBytes data = features.contains(DATA_NAME) ? Images.load(folder.resolve(DATA_NAME)) : null;
    return new FeatureImage(features + " " + options, Images.load(file), data);
  }

  private static void createPlain(Path folder, String features, String options) {
    Path file = folder.resolve(NAME);
    Path raw = folder.resolve("source.raw");
    Images.store(source(), raw);
    if (features.contains("compressed")) {
      QemuImg.img("convert", "-c", "-f", "raw", "-O", "qcow2", "-o", options, raw, file);
    } else if (features.contains("backing")) {
      QemuImg.img(
          "create", "-q", "-f", "qcow2", "-b", raw, "-F", "raw", "-o", options, file, LENGTH);
    } else {
      boolean isSplit = features.contains(DATA_NAME);
      String data = isSplit ? ",data_file=" + folder.resolve(DATA_NAME) : "";
      QemuImg.create(file, LENGTH, options + data);
    }
  }

  private static void fill(Path file, String features) {
    if (features.contains("bitmaps")) {
      QemuImg.img("bitmap", "--add", "-g", "512", file, "fine");
      QemuImg.img("bitmap", "--add", "-g", "4k", file, "coarse");
    }
    QemuImg.io(file, "write -P 1 0 200k", "write -z 60k 33k", "write -P 2 701k 41k");
    if (features.contains("snapshot")) {
      QemuImg.img("snapshot", "-c", "one", file);
      QemuImg.io(file, "write -P 3 100k 300k", "write -z -u 0 64k");
    }
  }

  /** Returns a disk of which some clusters compress well. */
  private static PagedBytes source() {
    PagedBytes bytes = new PagedBytes(1536 << 10);
    for (int at = 0; at < 1 << 20; at += 4096) {
      bytes.write(at, Images.bytes(at % 16384 == 0 ? 4096 : 300, at));
    }
    return bytes;
  }

  boolean has(String feature) {
    return features.contains(feature);
  }

  /** Returns this image with other bytes in its file, and the same data file. */
  FeatureImage with(PagedBytes other) {
    return new FeatureImage(features, other, data);
  }

  /** Returns what a guest sees of it. */
  GuestView view() throws IOException {
    return GuestView.of(content, data);
  }

  @Override
  public String toString() {
    return features;
  }
}
