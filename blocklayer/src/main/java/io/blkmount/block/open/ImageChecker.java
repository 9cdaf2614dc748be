// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.open;

import io.blkmount.block.bytes.HostName;
import io.blkmount.block.driver.CheckFinding;
import io.blkmount.block.driver.CheckResult;
import io.blkmount.block.driver.Checkable;
import io.blkmount.block.driver.ChildOpener;
import io.blkmount.block.driver.DetectZeroesMode;
import io.blkmount.block.driver.DiscardMode;
import io.blkmount.block.driver.KeySource;
import io.blkmount.block.driver.RepairMode;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import io.blkmount.block.graph.BlockGraph;
import io.blkmount.block.graph.BlockNode;
import java.io.IOException;
import java.util.Map;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** Checks and repairs single images, without the chain below them; also those that do not open. */
public final class ImageChecker {
  private final ImageReference image;
  private final @Nullable String format;

  private ImageChecker(ImageReference image, @Nullable String format) {
    this.image = image;
    this.format = format;
  }

  /**
   * Checks an image and changes nothing.
   *
   * @param name which
   * @param format driver name, or null to probe
   * @param findings told of what is wrong
   * @throws IOException with {@code NOT_SUPPORTED} if the format keeps no account of itself; if the
   *     image cannot be read, is no image, or somebody writes to it
   */
  public static CheckResult check(
      String name, @Nullable String format, Consumer<CheckFinding> findings) throws IOException {
    return new ImageChecker(ImageReference.of(name), format)
        .run(false, (checkable, file) -> checkable.check(file.name(), file, findings));
  }

  /**
   * Checks an image and puts right what can be.
   *
   * @param name which; nobody else may have it open
   * @param format driver name, or null to probe
   * @param mode how much is put right
   * @param findings told of what was wrong
   * @return what is left, and what was done
   * @throws IOException as for {@link #check}, or if the image cannot be written
   */
  public static CheckResult repair(
      String name, @Nullable String format, RepairMode mode, Consumer<CheckFinding> findings)
      throws IOException {
    return new ImageChecker(ImageReference.of(name), format)
        .run(true, (checkable, file) -> checkable.repair(file.name(), file, mode, findings));
  }

  /** What is done with a file that is open. */
  private interface Action {
    CheckResult run(Checkable checkable, ChildOpener.Child file) throws IOException;
  }

  private CheckResult run(boolean writable, Action action) throws IOException {
    try (BlockGraph graph = new BlockGraph()) {
      LayerOpener layers =
          new LayerOpener(graph, DriverRegistry.STANDARD, new ChainGuard(), KeySource.NONE);
      BlockNode node =
          layers.openFile(image.protocol(), image, settings(writable), new OptionTree(Map.of()));
      ChildOpener.Child file = LayerOpener.fileOf(node, writable);
      if (layers.driverOf(format, image, file) instanceof Checkable checkable) {
        return action.run(checkable, file);
      }
      throw new BlockException(
          BlockError.NOT_SUPPORTED,
          "image \"" + HostName.printable(image.path()) + "\": its format has nothing to check");
    }
  }

  private static NodeSettings settings(boolean writable) {
    return new NodeSettings(
        null, writable, false, false, false, false, DiscardMode.UNMAP, DetectZeroesMode.OFF, false);
  }
}
