// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.open;

import io.blkmount.block.driver.BlockDriver;
import io.blkmount.block.driver.BlockIo;
import io.blkmount.block.driver.ProbeInput;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;

/** Tells an image's format from its first bytes; in QEMU, {@code find_image_format}. */
final class FormatProbe {
  private final List<BlockDriver> formats;

  FormatProbe(List<BlockDriver> formats) {
    this.formats = List.copyOf(formats);
  }

  /**
   * Returns the driver that is surest.
   *
   * @param file where the image is stored; an empty one can only be raw
   * @throws IOException if the start of the file cannot be read
   */
  BlockDriver probe(BlockIo file, ImageReference reference) throws IOException {
    int length = (int) Math.min(file.length(), ProbeInput.LENGTH);
    ByteBuffer start = ByteBuffer.allocateDirect(length);
    file.read(0, start);
    boolean isDevice = reference.protocol().equals(ImageReference.HOST_DEVICE);
    return surest(new ProbeInput(reference.name(), start.flip().asReadOnlyBuffer(), isDevice));
  }

  /** Returns the driver with the highest score; of two, the one that was registered first. */
  BlockDriver surest(ProbeInput input) {
    BlockDriver surest = formats.get(0);
    int highest = -1;
    for (BlockDriver format : formats) {
      int score = format.probe(input);
      if (score > highest) {
        surest = format;
        highest = score;
      }
    }
    return surest;
  }
}
