// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.driver.BackingReference;
import io.blkmount.block.driver.CreateOptions;
import io.blkmount.block.testing.DiskModel;
import io.blkmount.block.testing.Images;
import io.blkmount.block.testing.MemoryChild;
import io.blkmount.block.testing.MemoryInstance;
import io.blkmount.block.testing.PagedBytes;
import io.blkmount.block.testing.QemuImg;
import io.blkmount.block.testing.TestKey;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;

/**
 * The files of an image that nobody has written to.
 *
 * @param file the image
 * @param data the external data file, or null
 * @param backing what lies below, or null
 */
record ModelStart(PagedBytes file, @Nullable PagedBytes data, @Nullable PagedBytes backing) {
  /** Name that the header gives to the backing file. */
  static final String BACKING_NAME = "base.raw";

  /** Returns random bytes with holes. */
  static PagedBytes backing(int length, SplittableRandom random) {
    PagedBytes bytes = new PagedBytes(length);
    for (int at = 0; at < length; ) {
      int part = Math.min(length - at, 1 + random.nextInt(length / 4 + 1));
      if (random.nextInt(3) > 0) {
        bytes.write(at, ByteBuffer.wrap(DiskModel.pattern(part, random.nextLong())));
      }
      at += part;
    }
    return bytes;
  }

  /** Has qemu-img make an image, or does it here if it has LUKS: qemu-img takes 3 seconds then. */
  static ModelStart of(ModelShape shape, @Nullable PagedBytes backing) throws IOException {
    return shape.image().encryption().equals("luks")
        ? createdHere(shape, backing)
        : createdByQemu(shape, backing);
  }

  private static ModelStart createdByQemu(ModelShape shape, @Nullable PagedBytes backing)
      throws IOException {
    Path folder = Files.createTempDirectory("blkmount-model");
    Path image = folder.resolve("empty.qcow2");
    Path guest = folder.resolve(ImageFiles.DATA_NAME);
    QemuImg.tool("sh", arguments(shape, folder, image).toArray());
    PagedBytes file = Images.load(image);
    PagedBytes data = Files.exists(guest) ? Images.load(guest) : null;
    Files.delete(image);
    Files.deleteIfExists(guest);
    Files.delete(folder);
    return new ModelStart(file, data, backing);
  }

  /** The data file is named as it lies beside the image. */
  private static List<Object> arguments(ModelShape shape, Path folder, Path image) {
    List<Object> arguments = new ArrayList<>();
    arguments.addAll(List.of("-c", "cd \"$0\" && exec qemu-img \"$@\"", folder));
    arguments.addAll(List.of("create", "-q", "-f", "qcow2", "-u"));
    arguments.addAll(List.of("--object", TestKey.QEMU_OBJECT));
    if (shape.image().hasBacking()) {
      arguments.addAll(List.of("-b", BACKING_NAME, "-F", "raw"));
    }
    arguments.addAll(List.of("-o", shape.creationOptions(), image, shape.image().length()));
    return arguments;
  }

  private static ModelStart createdHere(ModelShape shape, @Nullable PagedBytes backing)
      throws IOException {
    Map<String, String> values = new HashMap<>();
    for (String option : shape.creationOptions().split(",")) {
      values.put(option.split("=")[0], option.split("=")[1]);
    }
    values.remove("encrypt.key-secret");
    BackingReference below = backing == null ? null : new BackingReference(BACKING_NAME, "raw");
    MemoryInstance file = MemoryInstance.ofLength(0);
    MemoryInstance data = MemoryInstance.ofLength(0);
    ImageFiles files = new ImageFiles(new MemoryChild(file), new MemoryChild(data));
    Qcow2Creator.create(
        files.file(),
        new CreateOptions(shape.image().length(), below, values).withKeys(TestKey.SOURCE),
        files);
    boolean hasData = shape.dataFile() != ModelShape.DataFile.NONE;
    return new ModelStart(file.content(), hasData ? data.content() : null, backing);
  }

  /** Puts the files where qemu-img finds each by the name that another gives it. */
  void store(Path image) {
    Images.store(file, image);
    if (data != null) {
      Images.store(data, image.resolveSibling(ImageFiles.DATA_NAME));
    }
    if (backing != null) {
      Images.store(backing, image.resolveSibling(BACKING_NAME));
    }
  }
}
