// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse;

import io.blkmount.block.BlockLayer;
import io.blkmount.block.backend.BlockBackend;
import io.blkmount.block.driver.CreateOptions;
import io.blkmount.block.open.OpenOptions;
import io.blkmount.block.testing.Images;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;

/** Real disks for the tests: raw images in a temporary folder. */
public final class RawDisks {
  private RawDisks() {}

  /** Creates an image that is filled with the bytes of a seed. */
  public static Path create(Path image, int length, long seed) throws IOException {
    ByteBuffer content = Images.bytes(length, seed);
    byte[] bytes = new byte[length];
    content.get(bytes);
    return Files.write(image, bytes);
  }

  /** Creates an image of zeros. */
  public static Path create(Path image, int length) throws IOException {
    BlockLayer.create(image.toString(), "raw", CreateOptions.ofLength(length));
    return image;
  }

  /** Opens an image for writing. */
  public static BlockBackend open(Path image) throws IOException {
    return BlockLayer.open(options(image));
  }

  /** Opens an image for writing, with a length that its user may change. */
  public static BlockBackend openResizable(Path image) throws IOException {
    return BlockLayer.open(options(image).withResizable(true));
  }

  /** Opens an image for reading. */
  public static BlockBackend openReadOnly(Path image) throws IOException {
    return BlockLayer.open(options(image).withReadOnly(true));
  }

  private static OpenOptions options(Path image) {
    return OpenOptions.of(image.toString()).withFormat("raw");
  }
}
