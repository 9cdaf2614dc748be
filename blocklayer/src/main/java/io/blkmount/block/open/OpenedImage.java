// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.open;

import io.blkmount.block.driver.HostStored;
import io.blkmount.block.graph.BlockChild;
import io.blkmount.block.graph.BlockGraph;
import io.blkmount.block.graph.BlockNode;
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
}
