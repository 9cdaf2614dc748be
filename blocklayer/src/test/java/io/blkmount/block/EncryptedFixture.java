// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block;

import io.blkmount.block.backend.BlockBackend;
import io.blkmount.block.open.OpenOptions;
import io.blkmount.block.testing.DiskModel;
import io.blkmount.block.testing.Images;
import io.blkmount.block.testing.TestKey;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;

/** An encrypted image in a folder of its own. */
abstract class EncryptedFixture {
  static final String LUKS = "encrypt.format=luks,encrypt.iter-time=10";
  static final int LENGTH = 1 << 20;

  @TempDir Path folder;
  Path image;

  @BeforeEach
  void nameImage() {
    image = folder.resolve("disk.qcow2");
  }

  static OpenOptions options(Path file) {
    return OpenOptions.of(file.toString()).withKeys(TestKey.SOURCE);
  }

  static byte[] content(OpenOptions options) throws IOException {
    try (BlockBackend disk = BlockLayer.open(options.withReadOnly(true))) {
      ByteBuffer all = ByteBuffer.allocateDirect((int) disk.length());
      disk.read(0, all);
      byte[] bytes = new byte[all.capacity()];
      all.get(0, bytes);
      return bytes;
    }
  }

  static void write(BlockBackend disk, DiskModel model, int offset, int length) throws IOException {
    ByteBuffer bytes = Images.bytes(length, offset);
    model.write(offset, bytes.duplicate());
    disk.write(offset, bytes);
  }

  Path raw(byte[] bytes) throws IOException {
    return Files.write(folder.resolve("expected.raw"), bytes);
  }
}
