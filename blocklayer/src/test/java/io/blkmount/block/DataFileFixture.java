// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block;

import io.blkmount.block.backend.BlockBackend;
import io.blkmount.block.driver.CreateOptions;
import io.blkmount.block.open.OpenOptions;
import io.blkmount.block.testing.Images;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;

/** An image that names an external data file beside it. */
abstract class DataFileFixture {
  static final int LENGTH = 1 << 20;

  @TempDir Path folder;

  /** The image, which names the data file. */
  Path image;

  /** What its guest wrote. */
  Path data;

  @BeforeEach
  void nameFiles() {
    image = folder.resolve("disk.qcow2");
    data = folder.resolve("d.raw");
  }

  void create(String... more) throws IOException {
    Map<String, String> values = new HashMap<>(Map.of("data_file", "d.raw"));
    for (int i = 0; i < more.length; i += 2) {
      values.put(more[i], more[i + 1]);
    }
    BlockLayer.create(image.toString(), "qcow2", new CreateOptions(LENGTH, null, values));
  }

  OpenOptions options() {
    return OpenOptions.of(image.toString());
  }

  OpenOptions withDataFile(Path file) {
    return OpenOptions.ofImageOptions(
        Map.of(
            "driver",
            "qcow2",
            "file.filename",
            image.toString(),
            "data-file.filename",
            file.toString()));
  }

  void poke(long offset, String hex) throws IOException {
    try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
      file.seek(offset);
      file.write(HexFormat.of().parseHex(hex));
    }
  }

  static void write(OpenOptions options, long offset, int length) throws IOException {
    try (BlockBackend disk = BlockLayer.open(options)) {
      disk.write(offset, Images.bytes(length, 1));
    }
  }

  static byte[] read(OpenOptions options, long offset, int length) throws IOException {
    try (BlockBackend disk = BlockLayer.open(options.withReadOnly(true))) {
      ByteBuffer read = ByteBuffer.allocateDirect(length);
      disk.read(offset, read);
      byte[] bytes = new byte[length];
      read.flip().get(bytes);
      return bytes;
    }
  }
}
