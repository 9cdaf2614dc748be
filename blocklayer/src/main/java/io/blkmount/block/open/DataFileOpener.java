// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.open;

import io.blkmount.block.bytes.HostName;
import io.blkmount.block.driver.ChildRole;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import io.blkmount.block.graph.BlockChild;
import io.blkmount.block.graph.BlockNode;
import io.blkmount.block.graph.PermissionSet;
import java.io.IOException;
import org.jspecify.annotations.Nullable;

/**
 * Opens an image's external data file, by its protocol: what is in it is never looked at.
 *
 * <p>A name that comes from a header may lead anywhere. It is relative to the image's folder, as a
 * backing file's, and nothing outside that folder is written unless the user names it.
 */
final class DataFileOpener {
  /** The prefix of the options that say otherwise than the header. */
  static final String OPTION = "data-file";

  private static final String WHAT = "data file";

  private final LayerOpener layers;
  private final ChainGuard guard;
  private final ImageReference image;
  private final NodeSettings settings;
  private final OptionTree own;
  private @Nullable BlockChild opened;

  /**
   * Creates an opener for one image.
   *
   * @param settings of the image's node
   * @param own options of the data file
   */
  DataFileOpener(
      LayerOpener layers,
      ChainGuard guard,
      ImageReference image,
      NodeSettings settings,
      OptionTree own) {
    this.layers = layers;
    this.guard = guard;
    this.image = image;
    this.settings = settings;
    this.own = own;
  }

  /**
   * Opens the file.
   *
   * @param headerName as the image spells it, or null
   * @throws IOException if there is no name or no such file, or if it is in the chain already
   */
  BlockChild open(@Nullable String headerName) throws IOException {
    String given = own.take("filename");
    String name = given == null ? headerName : given;
    if (name == null || name.isEmpty()) {
      throw new BlockException(
          BlockError.INVALID,
          quoted(image.path())
              + " keeps its data in a data file, but does not name it; "
              + OPTION
              + ".filename does");
    }
    try {
      ImageReference reference = given == null ? image.backing(name) : ImageReference.of(given);
      NodeSettings child = settings.forFile().with(own);
      requireWritable(child);
      requireNear(reference, given == null && child.writable());
      guard.admitData(reference);
      opened = edge(open(reference, child), child.writable());
      return opened;
    } catch (IOException e) {
      throw ChildFailure.of(WHAT, name, image.path(), image.folder(), e);
    }
  }

  private BlockNode open(ImageReference reference, NodeSettings child) throws IOException {
    String driver = own.take("driver");
    return layers.openFile(driver == null ? reference.protocol() : driver, reference, child, own);
  }

  private static BlockChild edge(BlockNode node, boolean writable) {
    PermissionSet permissions = writable ? PermissionSet.ALL : PermissionSet.READ_ONLY;
    return new BlockChild(ChildRole.DATA, node, permissions);
  }

  private void requireWritable(NodeSettings child) throws BlockException {
    if (settings.writable() && !child.writable()) {
      throw new BlockException(
          BlockError.READ_ONLY, "option read-only=on: the image is opened for writing");
    }
  }

  private void requireNear(ImageReference file, boolean asked) throws BlockException {
    if (asked && !image.isFolderOf(file)) {
      throw new BlockException(
          BlockError.NOT_PERMITTED,
          "it lies outside the image's folder, or behind a link, and is only written if "
              + OPTION
              + ".filename names it (or read-only with -r)");
    }
  }

  /** Returns the edge to the file, or null if no driver asked for it. */
  @Nullable BlockChild opened() {
    return opened;
  }

  /**
   * Fails if the user said something of a data file that nobody opened.
   *
   * @throws BlockException that names the image
   */
  void requireUse() throws BlockException {
    if (opened == null && !own.isEmpty()) {
      throw new BlockException(
          BlockError.INVALID,
          "image options name a data file, but " + quoted(image.path()) + " has none");
    }
  }

  private static String quoted(String name) {
    return '"' + HostName.printable(name) + '"';
  }
}
