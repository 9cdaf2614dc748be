// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.open;

import io.blkmount.block.bytes.HostName;
import io.blkmount.block.driver.HostStored.FileKey;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import io.blkmount.block.file.HostFiles;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Looks at each layer before it is opened: is it there, was it there before, is it too deep. */
final class ChainGuard {
  /**
   * How many layers a chain may have. Three years of daily snapshots fit; a hostile image that
   * names ever more files cannot take all descriptors of the process (one per layer) or make every
   * lookup of a byte arbitrarily long.
   */
  static final int MAX_CHAIN_DEPTH = 1000;

  private final int maxDepth;
  private final Map<FileKey, String> seen = new LinkedHashMap<>();
  private int depth;

  ChainGuard() {
    this(MAX_CHAIN_DEPTH);
  }

  ChainGuard(int maxDepth) {
    this.maxDepth = maxDepth;
  }

  /**
   * Admits a layer. Compared are device and inode, so that no second name of a file hides a loop,
   * and before the open, whose lock would say only that the image is in use.
   *
   * @throws BlockException with {@code LOOP} if it is in the chain already or too deep
   */
  void admit(ImageReference layer) throws IOException {
    FileKey key = HostFiles.keyOf(layer.path());
    if (key != null) {
      String before = seen.putIfAbsent(key, layer.path());
      if (before != null) {
        throw loop(before, layer.path());
      }
    }
    if (++depth > maxDepth) {
      throw new BlockException(
          BlockError.LOOP, "backing chain is longer than " + maxDepth + " images");
    }
  }

  /**
   * Admits a data file, which nobody else of the chain may use: the guest would write to metadata.
   *
   * @throws BlockException with {@code LOOP} if it is the image itself or another file of the chain
   */
  void admitData(ImageReference file) throws IOException {
    FileKey key = HostFiles.keyOf(file.path());
    String before = key == null ? null : seen.putIfAbsent(key, file.path());
    if (before != null) {
      throw new BlockException(
          BlockError.LOOP,
          "it is already in use as the image \"" + HostName.printable(before) + '"');
    }
  }

  private BlockException loop(String before, String again) {
    List<String> names = new ArrayList<>();
    for (String name : seen.values()) {
      if (name.equals(before) || !names.isEmpty()) {
        names.add(HostName.printable(name));
      }
    }
    names.add(HostName.printable(again));
    return new BlockException(
        BlockError.LOOP, "backing files form a loop: " + String.join(" -> ", names));
  }
}
