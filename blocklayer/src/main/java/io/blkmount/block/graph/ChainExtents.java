// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.graph;

import io.blkmount.block.driver.Extent;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import java.io.IOException;

/**
 * Block status down a chain: which layer decides what a byte is, and what it says. A loop over the
 * layers, because 1,000 of them as nested calls would overflow the stack.
 *
 * <p>In QEMU: {@code bdrv_get_block_status} and {@code bdrv_is_allocated_above}.
 */
public final class ChainExtents {
  /**
   * How many runs of layers are joined for one answer at most. One answer of a fragmented image
   * shall not walk the whole of it: whoever wants more asks again from the end.
   */
  private static final int MAX_JOINED = 256;

  private final BlockNode top;

  private ChainExtents(BlockNode top) {
    this.top = top;
  }

  /**
   * Returns the status of the chain that starts with {@code top}.
   *
   * @param top the layer that is asked first
   */
  public static ChainExtents below(BlockNode top) {
    return new ChainExtents(top);
  }

  /**
   * Returns the run at {@code offset}.
   *
   * @param offset in bytes, below the length of the top layer
   * @param maxLength in bytes, at least 1
   * @return a run of one kind in one layer, whose {@code depth} says which; ZERO where a backing
   *     file is too short to reach; UNALLOCATED only where no layer holds the bytes
   * @throws IOException if the metadata of a layer cannot be read
   */
  public Extent extentAt(long offset, long maxLength) throws IOException {
    long limit = Math.min(maxLength, lengthFrom(offset));
    Extent joined = first(offset, limit);
    for (int i = 1; i < MAX_JOINED && joined.length() < limit; i++) {
      Extent next = first(joined.end(), limit - joined.length());
      if (!continues(joined, next)) {
        break;
      }
      joined =
          new Extent(
              joined.kind(),
              offset,
              joined.length() + next.length(),
              joined.hostOffset(),
              joined.depth());
    }
    return joined;
  }

  private long lengthFrom(long offset) throws IOException {
    long length = top.pipeline().length();
    if (offset < 0 || offset >= length) {
      throw new BlockException(
          BlockError.INVALID,
          "block status beyond end of disk: offset=" + offset + " length=" + length);
    }
    return length - offset;
  }

  private Extent first(long offset, long maxLength) throws IOException {
    long limit = maxLength;
    int depth = 0;
    BlockNode layer = top;
    while (true) {
      long reach = layer.pipeline().length() - offset;
      if (reach <= 0) {
        return Extent.zero(offset, limit).deeper(depth);
      }
      limit = Math.min(limit, reach);
      BlockChild backing = layer.backing();
      long absent = backing == null ? 0 : layer.instance().absentLength(offset, limit);
      if (absent == 0) {
        Extent here = layer.pipeline().layerExtentAt(offset, limit);
        if (here.isAllocated() || backing == null) {
          return here.deeper(depth);
        }
        absent = here.length();
      }
      limit = absent;
      layer = backing.node();
      depth++;
    }
  }

  private static boolean continues(Extent run, Extent next) {
    return run.kind() == next.kind() && run.depth() == next.depth() && isConsecutive(run, next);
  }

  private static boolean isConsecutive(Extent run, Extent next) {
    if (run.hostOffset() == Extent.NO_HOST_OFFSET) {
      return next.hostOffset() == Extent.NO_HOST_OFFSET;
    }
    return next.hostOffset() == run.hostOffset() + run.length();
  }
}
