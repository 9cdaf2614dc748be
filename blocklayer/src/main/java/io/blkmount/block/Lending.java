// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block;

import io.blkmount.block.backend.FileLending;
import io.blkmount.block.driver.HostStored;
import io.blkmount.block.driver.HostStored.FileKey;
import io.blkmount.block.graph.BlockNode;
import io.blkmount.block.open.OpenOptions;
import io.blkmount.block.open.OpenedImage;
import org.jspecify.annotations.Nullable;

/** Decides whether the kernel may have the file of an image: only if nothing is lost by it. */
final class Lending {
  private Lending() {}

  static FileLending of(OpenedImage opened, OpenOptions options) {
    String obstacle = obstacle(opened, options);
    return obstacle == null
        ? FileLending.of(opened.image(), file(opened.image()))
        : FileLending.none(obstacle);
  }

  /** Returns the first thing that stands in the way, or null. */
  private static @Nullable String obstacle(OpenedImage opened, OpenOptions options) {
    BlockNode image = opened.image();
    if (opened.top() != image) {
      return "writes go to a temporary overlay (--snapshot)";
    }
    if (!image.instance().isWholeFile()) {
      return image.driverName().equals("raw")
          ? "the disk is a part of its file"
          : "its format is " + image.driverName();
    }
    if (options.format() == null && !options.imageOptions().containsKey("driver")) {
      return "its format was probed (-f raw)";
    }
    return obstacle(options, image.looksAtRequests(), file(image));
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

  /** A disk that is a whole file is stored in just that. */
  private static BlockNode file(BlockNode image) {
    return image.storage().get(0).node();
  }

  private static FileKey key(BlockNode file) {
    return file.instance() instanceof HostStored stored ? stored.fileKey() : new FileKey(0, -1);
  }
}
