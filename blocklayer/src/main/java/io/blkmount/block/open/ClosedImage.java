// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.open;

import io.blkmount.block.bytes.HostName;
import io.blkmount.block.driver.ChildOpener;
import io.blkmount.block.driver.DetectZeroesMode;
import io.blkmount.block.driver.DiscardMode;
import io.blkmount.block.driver.KeySource;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import io.blkmount.block.graph.BlockGraph;
import io.blkmount.block.graph.BlockNode;
import java.io.IOException;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * An image that is worked on as a file, without being opened as a disk.
 *
 * @param image which
 * @param format driver name, or null to probe
 */
record ClosedImage(ImageReference image, @Nullable String format) {
  /** What a driver does with the file of an image. */
  interface Action<D, T> {
    T run(D driver, ChildOpener.Child file) throws IOException;
  }

  /**
   * Opens the file, does something with it, and closes it.
   *
   * @param capability what the image's driver must be
   * @param missing what its format does not have otherwise, for the message
   * @throws IOException with {@code NOT_SUPPORTED} if the driver is not that
   */
  <D, T> T with(Class<D> capability, String missing, boolean writable, Action<D, T> action)
      throws IOException {
    try (BlockGraph graph = new BlockGraph()) {
      LayerOpener layers =
          new LayerOpener(graph, DriverRegistry.STANDARD, new ChainGuard(), KeySource.NONE);
      BlockNode node =
          layers.openFile(image.protocol(), image, settings(writable), new OptionTree(Map.of()));
      ChildOpener.Child file = LayerOpener.fileOf(node, writable);
      Object driver = layers.driverOf(format, image, file);
      if (capability.isInstance(driver)) {
        return action.run(capability.cast(driver), file);
      }
      throw new BlockException(
          BlockError.NOT_SUPPORTED,
          "image \"" + HostName.printable(image.path()) + "\": its format has " + missing);
    }
  }

  private static NodeSettings settings(boolean writable) {
    return new NodeSettings(
        null, writable, false, false, false, false, DiscardMode.UNMAP, DetectZeroesMode.OFF, false);
  }
}
