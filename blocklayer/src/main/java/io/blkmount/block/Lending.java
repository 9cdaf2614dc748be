// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block;

import io.blkmount.block.backend.FileLending;
import io.blkmount.block.driver.ChildRole;
import io.blkmount.block.driver.HostStored;
import io.blkmount.block.driver.HostStored.FileKey;
import io.blkmount.block.driver.Lendable;
import io.blkmount.block.graph.BlockChild;
import io.blkmount.block.graph.BlockNode;
import io.blkmount.block.open.OpenOptions;
import io.blkmount.block.open.OpenedImage;
import org.jspecify.annotations.Nullable;

/** Decides whether the kernel may have the file of an image: only if nothing is lost by it. */
final class Lending {
  private Lending() {}

  static FileLending of(OpenedImage opened, OpenOptions options) {
    BlockNode image = opened.image();
    if (opened.top() != image) {
      return FileLending.none("writes go to a temporary overlay (--snapshot)");
    }
    BlockNode file = file(image);
    if (file == null) {
      return FileLending.none(
          image.driverName().equals("raw")
              ? "the disk is a part of its file"
              : "its format is " + image.driverName());
    }
    String obstacle = obstacle(image, file, options);
    return obstacle == null ? FileLending.of(image, file) : FileLending.none(obstacle);
  }

  /** Returns the file that a disk is, or null if it is none. */
  private static @Nullable BlockNode file(BlockNode image) {
    ChildRole role = image.instance() instanceof Lendable disk ? disk.wholeFile() : null;
    for (BlockChild child : image.storage()) {
      if (child.role() == role) {
        return child.node();
      }
    }
    return null;
  }

  /** Returns the first thing that stands in the way, or null. */
  private static @Nullable String obstacle(BlockNode image, BlockNode file, OpenOptions options) {
    if (image.driverName().equals("raw")) {
      if (options.format() == null && !options.imageOptions().containsKey("driver")) {
        return "its format was probed (-f raw)";
      }
    } else if (options.resizable()) {
      return "its length is not that of a file alone (--resizable)";
    }
    return obstacle(options, image.looksAtRequests(), file);
  }

  private static @Nullable String obstacle(
      OpenOptions options, boolean looksAtRequests, BlockNode file) {
    if (options.cache().direct() || options.cache().flushAfterWrite()) {
      return "--cache " + options.cache().optionName();
    }
    if (looksAtRequests || file.looksAtRequests()) {
      return "copy-on-read, detect-zeroes or a dirty bitmap looks at its requests";
    }
    return key(file).inode() < 0 ? "it is a device" : null;
  }

  private static FileKey key(BlockNode file) {
    return file.instance() instanceof HostStored stored ? stored.fileKey() : new FileKey(0, -1);
  }
}
