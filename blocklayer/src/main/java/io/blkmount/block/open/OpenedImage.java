// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.open;

import io.blkmount.block.driver.HostStored;
import io.blkmount.block.graph.BlockChild;
import io.blkmount.block.graph.BlockGraph;
import io.blkmount.block.graph.BlockNode;
import java.io.IOException;
import org.jspecify.annotations.Nullable;

/**
 * A chain that was opened. Who has it closes the graph.
 *
 * @param graph all nodes
 * @param top the node that requests go to
 * @param image the node of the image that was asked for: {@code top}, or below it if {@code top} is
 *     a temporary overlay
 */
public record OpenedImage(BlockGraph graph, BlockNode top, BlockNode image) {
  /** Returns the host file that holds the image that was asked for, or null if none does. */
  public @Nullable HostStored hostFile() {
    if (image.instance() instanceof HostStored itself) {
      return itself;
    }
    for (BlockChild child : image.storage()) {
      if (child.node().instance() instanceof HostStored file) {
        return file;
      }
    }
    return null;
  }

  /**
   * Returns when the image last changed, in nanoseconds since 1970: the latest modification of the
   * files that it is stored in; 0 if it is in none.
   *
   * @throws IOException if the host does not answer
   */
  public long modifiedNanos() throws IOException {
    HostStored own = hostFile();
    long latest = own == null ? 0 : own.modifiedNanos();
    for (BlockChild child : image.storage()) {
      if (child.node().instance() instanceof HostStored file) {
        latest = Math.max(latest, file.modifiedNanos());
      }
    }
    return latest;
  }
}
