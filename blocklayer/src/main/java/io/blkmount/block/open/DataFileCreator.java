// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.open;

import io.blkmount.block.bytes.HostName;
import io.blkmount.block.driver.BackingReference;
import io.blkmount.block.driver.ChildOpener;
import io.blkmount.block.driver.ChildRole;
import io.blkmount.block.driver.HostStored.FileKey;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import io.blkmount.block.file.HostFiles;
import io.blkmount.block.graph.BlockChild;
import io.blkmount.block.graph.BlockNode;
import io.blkmount.block.graph.PermissionSet;
import java.io.IOException;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Makes the external data file of a new image; what its name held is gone, as with qemu-img. */
final class DataFileCreator implements ChildOpener {
  private final LayerOpener layers;
  private final ImageReference image;
  private final @Nullable BackingReference backing;
  private final NodeSettings settings;
  private @Nullable String madePath;

  /**
   * Creates a maker of files.
   *
   * @param image exists already
   * @param backing of the image, or null
   * @param settings of the file's node
   */
  DataFileCreator(
      LayerOpener layers,
      ImageReference image,
      @Nullable BackingReference backing,
      NodeSettings settings) {
    this.layers = layers;
    this.image = image;
    this.backing = backing;
    this.settings = settings;
  }

  @Override
  public Child open(ChildRole role) throws IOException {
    throw new BlockException(BlockError.NOT_SUPPORTED, "new image: no child for " + role);
  }

  @Override
  public Child openData(@Nullable String name) throws IOException {
    ImageReference file = image.backing(name == null ? "" : name);
    FileKey key = HostFiles.keyOf(file.path());
    requireOther(key, image, "itself");
    if (backing != null) {
      requireOther(key, image.backing(backing.name()), "its backing file");
    }
    HostFiles.create(file.path(), key == null);
    madePath = key == null ? file.path() : null;
    BlockNode node = layers.openFile(file.protocol(), file, settings, new OptionTree(Map.of()));
    return new BlockChild(ChildRole.DATA, node, PermissionSet.ALL);
  }

  private void requireOther(@Nullable FileKey key, ImageReference other, String what)
      throws IOException {
    if (key != null && key.equals(HostFiles.keyOf(other.path()))) {
      throw new BlockException(
          BlockError.INVALID,
          "new image \"" + HostName.printable(image.path()) + "\": its data file is " + what);
    }
  }

  /** Removes the file if it was not there before. */
  void removeAfter(Exception failure) {
    if (madePath != null) {
      try {
        HostFiles.unlink(madePath);
      } catch (IOException e) {
        failure.addSuppressed(e);
      }
    }
  }
}
