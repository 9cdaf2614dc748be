// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.graph;

import java.util.ArrayList;
import java.util.List;

/**
 * An image and the backing files below it.
 *
 * @param layers from the top down, at least one
 */
public record BackingChain(List<BlockNode> layers) {
  /** Copies the list. */
  public BackingChain {
    layers = List.copyOf(layers);
    if (layers.isEmpty()) {
      throw new IllegalArgumentException("a chain without layers");
    }
  }

  /**
   * Returns the chain that hangs from {@code top} now.
   *
   * @param top the first layer
   */
  public static BackingChain from(BlockNode top) {
    List<BlockNode> layers = new ArrayList<>();
    layers.add(top);
    BlockChild next = top.backing();
    while (next != null) {
      layers.add(next.node());
      next = next.node().backing();
    }
    return new BackingChain(layers);
  }

  /** Returns the layer that writes go to. */
  public BlockNode top() {
    return layers.get(0);
  }

  /** Returns the number of layers. */
  public int depth() {
    return layers.size();
  }
}
