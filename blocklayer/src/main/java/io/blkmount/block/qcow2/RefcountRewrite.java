// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.driver.BlockIo;
import io.blkmount.block.driver.WriteFlags;
import java.io.IOException;
import java.nio.ByteBuffer;

/** Puts wrong refcounts right where they are, in blocks that are sound. */
final class RefcountRewrite {
  /** What a disk writes whole or not at all. */
  private static final int SECTOR = 512;

  private final CheckedImage image;
  private final StoredRefcounts stored;
  private final RefcountGoal goal;

  RefcountRewrite(CheckedImage image, StoredRefcounts stored, RefcountGoal goal) {
    this.image = image;
    this.stored = stored;
    this.goal = goal;
  }

  /**
   * Writes every refcount that is not as it should be.
   *
   * @param buffer of one cluster
   * @return whether any was wrong
   */
  boolean run(BlockIo file, ByteBuffer buffer) throws IOException {
    int perBlock = stored.refcountsPerBlock();
    // Refcounts past the end of the file do no harm, and the check does not look at them either.
    long end = image.clusterCount() + 1;
    boolean changed = false;
    for (long index = 0; index < stored.entryCount() && index * perBlock < end; index++) {
      ByteBuffer block = stored.read(index, buffer);
      if (block != null) {
        long first = index * perBlock;
        int count = (int) Math.min(perBlock, end - first);
        changed |= rewrite(file, stored.offset(index), block, first, count);
      }
    }
    return changed;
  }

  private boolean rewrite(BlockIo file, long offset, ByteBuffer block, long first, int count)
      throws IOException {
    RefcountWidth width = stored.width();
    int firstChange = -1;
    int lastChange = -1;
    for (int i = 0; i < count; i++) {
      long before = width.get(block, i);
      long after = goal(first + i, before);
      if (after != before) {
        width.set(block, i, after);
        firstChange = firstChange < 0 ? i : firstChange;
        lastChange = i;
      }
    }
    if (firstChange >= 0) {
      int start = byteOf(firstChange) & -SECTOR;
      int end = Math.min(block.limit(), (byteOf(lastChange) & -SECTOR) + SECTOR);
      file.write(offset + start, block.slice(start, end - start), WriteFlags.NONE);
    }
    return firstChange >= 0;
  }

  /** The one cluster behind the file's last is left alone unless something refers to it. */
  private long goal(long cluster, long before) {
    boolean isBehind = cluster == image.clusterCount() && goal.counts().count(cluster) == 0;
    return isBehind ? before : goal.of(cluster, before);
  }

  private int byteOf(int index) {
    return (int) ((long) index << stored.width().order() >>> 3);
  }
}
