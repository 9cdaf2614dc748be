// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.backend;

import io.blkmount.block.driver.Extent;
import io.blkmount.block.graph.BackingChain;
import io.blkmount.block.graph.BlockNode;
import io.blkmount.block.graph.ChainExtents;
import java.io.IOException;

/** How much of the host's space what a disk shows takes, for {@code st_blocks}. */
final class Occupancy {
  /**
   * What a disk takes at least unless it is known to be all zeros: archivers store a file without
   * blocks as one hole and never read it.
   */
  private static final long LEAST = 4096;

  private final BlockNode top;
  private final BackingChain chain;

  /** What is below the top does not change, and is asked for once; -1 before that. */
  private volatile long belowBytes = -1;

  Occupancy(BackingChain chain) {
    this.chain = chain;
    this.top = chain.top();
  }

  /** Returns the space of all layers, but not more than the disk is long. */
  long bytes() throws IOException {
    long length = top.pipeline().length();
    long allocated = Math.min(length, top.instance().allocatedBytes() + belowBytes());
    return allocated >= LEAST || isAllZeros(length) ? allocated : LEAST;
  }

  private long belowBytes() throws IOException {
    long known = belowBytes;
    if (known < 0) {
      known = 0;
      for (BlockNode layer : chain.layers().subList(1, chain.depth())) {
        known += layer.instance().allocatedBytes();
      }
      belowBytes = known;
    }
    return known;
  }

  private boolean isAllZeros(long length) throws IOException {
    if (length == 0) {
      return true;
    }
    Extent first = ChainExtents.below(top).extentAt(0, length);
    return first.readsAsZero() && first.length() == length;
  }
}
