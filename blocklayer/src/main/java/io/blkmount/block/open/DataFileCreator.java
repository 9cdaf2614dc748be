// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.open;

import io.blkmount.block.bytes.HostName;
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
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Makes the external data file of a new image; what its name held is gone, as with qemu-img. */
final class DataFileCreator implements ChildOpener {
  private final LayerOpener layers;
  private final ImageReference image;
  private final Set<FileKey> chain;
  private final NodeSettings settings;
  private @Nullable String madePath;

  /**
   * Creates a maker of files.
   *
   * @param image exists already
   * @param chain the files below the image
   * @param settings of the file's node
   */
  DataFileCreator(
      LayerOpener layers, ImageReference image, Set<FileKey> chain, NodeSettings settings) {
    this.layers = layers;
    this.image = image;
    this.chain = chain;
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
    if (key != null) {
      require(!key.equals(HostFiles.keyOf(image.path())), "itself");
      require(!chain.contains(key), "a file of its backing chain");
    }
    HostFiles.create(file.path(), key == null);
    madePath = key == null ? file.path() : null;
    BlockNode node = layers.openFile(file.protocol(), file, settings, new OptionTree(Map.of()));
    return new BlockChild(ChildRole.DATA, node, PermissionSet.ALL);
  }

  private void require(boolean isOther, String what) throws BlockException {
    if (!isOther) {
      throw new BlockException(
          BlockError.INVALID,
          "new image \"" + HostName.printable(image.path()) + "\": its data file is " + what);
    }
  }

  /** Removes the file if it was not there before. */
  void removeAfter(Throwable failure) {
    if (madePath != null) {
      try {
        HostFiles.unlink(madePath);
      } catch (IOException e) {
        failure.addSuppressed(e);
      }
    }
  }
}
