// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.open;

import io.blkmount.block.bytes.HostName;
import io.blkmount.block.driver.BackingReference;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import java.io.IOException;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * One layer that is about to be opened, and what was said about the layers below it.
 *
 * @param reference where it is
 * @param format driver name, or null to probe
 * @param settings of the format's node
 * @param own options that are the format driver's alone
 * @param file options of the file below it
 * @param backing what goes before the header's word on the backing file
 * @param detached whether the header's backing file is left out
 */
record LayerRequest(
    ImageReference reference,
    @Nullable String format,
    NodeSettings settings,
    OptionTree own,
    OptionTree file,
    OptionTree backing,
    boolean detached) {

  /** Returns the layer that the user asked for. */
  static LayerRequest top(OpenOptions options) throws IOException {
    OptionTree tree = new OptionTree(options.imageOptions());
    OptionTree file = tree.takeChild("file");
    ImageReference reference = named(options.image(), tree, file);
    if (reference == null) {
      throw new BlockException(BlockError.INVALID, "image options: file.filename is missing");
    }
    NodeSettings settings = NodeSettings.ofImage(options).with(tree);
    return of(reference, options.format(), settings, tree, file);
  }

  /** Returns this layer for reading only, to be put below a temporary overlay. */
  LayerRequest readOnly() {
    return new LayerRequest(
        reference, format, settings.forOverlaid(), own, file, backing, detached);
  }

  /**
   * Returns the layer below this one, or null if there is none.
   *
   * @param header what this layer's header says
   */
  @Nullable LayerRequest below(@Nullable BackingReference header) throws IOException {
    if (detached) {
      requireNoBacking("beside backing=null");
      return null;
    }
    OptionTree belowFile = backing.takeChild("file");
    ImageReference base = named(null, backing, belowFile);
    String baseFormat = null;
    if (base == null && header != null) {
      base = reference.backing(header.name());
      baseFormat = backing.has("driver") ? null : header.format();
    }
    if (base == null) {
      requireNoOptions(belowFile);
      return null;
    }
    return of(base, baseFormat, settings.forBacking().with(backing), backing, belowFile);
  }

  /**
   * Fails if the user said something of a backing file.
   *
   * @param why there is none
   * @throws BlockException that names what was said
   */
  void requireNoBacking(String why) throws BlockException {
    if (!backing.isEmpty()) {
      String names = String.join(", backing.", new TreeSet<>(backing.left().keySet()));
      throw new BlockException(
          BlockError.INVALID, "option backing." + HostName.printable(names) + ": " + why);
    }
  }

  private void requireNoOptions(OptionTree belowFile) throws BlockException {
    if (!backing.isEmpty() || !belowFile.isEmpty()) {
      throw new BlockException(
          BlockError.INVALID, "image options name a backing file, but without a filename");
    }
  }

  private static @Nullable ImageReference named(
      @Nullable String image, OptionTree tree, OptionTree file) throws IOException {
    String name = image;
    for (String given : new String[] {tree.take("filename"), file.take("filename")}) {
      if (name != null && given != null) {
        throw new BlockException(BlockError.INVALID, "image options: two names for one image");
      }
      name = given == null ? name : given;
    }
    return name == null ? null : ImageReference.of(name);
  }

  private static LayerRequest of(
      ImageReference reference,
      @Nullable String format,
      NodeSettings settings,
      OptionTree tree,
      OptionTree file)
      throws BlockException {
    String driver = tree.take("driver");
    if (driver != null && format != null) {
      throw new BlockException(
          BlockError.INVALID, "image options: driver=" + driver + " beside format " + format);
    }
    boolean detached = isNone(tree.take("backing"));
    OptionTree backing = tree.takeChild("backing");
    String chosen = driver == null ? format : driver;
    return new LayerRequest(reference, chosen, settings, tree, file, backing, detached);
  }

  private static boolean isNone(@Nullable String backing) throws BlockException {
    if (backing == null) {
      return false;
    }
    if (backing.isEmpty() || backing.equals("null")) {
      return true;
    }
    throw new BlockException(
        BlockError.INVALID,
        "option backing="
            + backing
            + ": null (no backing file) is the only value; backing.file.filename names one");
  }
}
