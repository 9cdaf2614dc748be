// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.bytes.BouncePool;
import io.blkmount.block.driver.ChildOpener;
import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.BitSet;
import org.jspecify.annotations.Nullable;

/**
 * Makes a new refcount table and all its blocks in free clusters, and switches to them with one
 * write of the header. Until then the image is as it was; afterwards the old structures are free,
 * since the new ones do not count them. Stands for QEMU's {@code rebuild_refcount_structure()}.
 */
final class RefcountRebuild {
  private final ChildOpener.Child file;
  private final CheckedImage image;
  private final StoredRefcounts stored;
  private final HostReferences references;
  private final RefcountGoal goal;
  private final RefcountWidth width;
  private final FreeClusters free;
  private final BitSet wanted = new BitSet();

  /** One past the last cluster that something refers to, or may. */
  private final long usedEnd;

  RefcountRebuild(ChildOpener.Child file, Qcow2Check check, RefcountGoal goal) {
    this(file, check, goal, check.stored().width());
  }

  /**
   * Prepares refcounts of another width.
   *
   * @param goal complete, unless the width is the one that is stored
   */
  RefcountRebuild(
      ChildOpener.Child file, Qcow2Check check, RefcountGoal goal, RefcountWidth width) {
    this.file = file;
    this.image = check.image();
    this.stored = check.stored();
    this.references = check.references();
    this.goal = goal;
    this.width = width;
    this.usedEnd = usedEnd();
    boolean growable = file.support().growable();
    long limit = growable ? Long.MAX_VALUE : image.fileLength() >> image.clusterBits();
    this.free = new FreeClusters(references, goal.isComplete() ? 0 : usedEnd, usedEnd, limit);
  }

  private long usedEnd() {
    ClusterCounts counts = references.counts();
    long end = goal.isComplete() ? 0 : image.clusterCount();
    for (long c = counts.nextUsed(end); c < counts.size(); c = counts.nextUsed(c + 1)) {
      end = counts.count(c) > 0 ? c + 1 : end;
    }
    return end;
  }

  /**
   * Where new refcounts lie.
   *
   * @param tableOffset host offset in bytes
   * @param tableClusters length of the table
   */
  record Place(long tableOffset, int tableClusters) {}

  /**
   * Does it, durably.
   *
   * @param buffer of one cluster
   * @throws BlockException with {@code NO_SPACE} if there is none; the image is as it was then
   */
  void run(ByteBuffer buffer) throws IOException {
    switchTo(prepare(buffer));
  }

  /**
   * Writes table and blocks, durably, where nothing of the image is; the header does not know of
   * them yet.
   *
   * @param buffer of one cluster
   * @throws BlockException with {@code NO_SPACE} if there is none
   */
  Place prepare(ByteBuffer buffer) throws IOException {
    long[] blocks = new long[entryCount()];
    int tableClusters = Math.toIntExact(clustersOf(blocks.length));
    long table = takeTable(tableClusters);
    takeBlocks(blocks);
    stored.removeReferences(references);
    writeBlocks(blocks, buffer);
    writeTable(blocks, table, tableClusters);
    file.flush();
    return new Place(table << image.clusterBits(), tableClusters);
  }

  /** Returns how long the table must be wherever table and blocks will lie. */
  private int entryCount() throws BlockException {
    int perBlock = perBlock();
    long placesEnd = usedEnd + (goal.isComplete() ? 0 : HostReferences.LOOKED_AT_BEHIND);
    long entries = 0;
    long needed = 1;
    while (entries < needed) {
      entries = needed;
      needed = (placesEnd + entries + clustersOf(entries) + perBlock - 1) / perBlock;
    }
    if (clustersOf(entries) << image.clusterBits() > HeaderReader.MAX_REFCOUNT_TABLE_BYTES) {
      throw new BlockException(
          BlockError.TOO_BIG,
          "a refcount table of " + entries + " entries is longer than any reader takes");
    }
    return (int) entries;
  }

  private long clustersOf(long entries) {
    return (entries * Long.BYTES + image.clusterSize() - 1) >> image.clusterBits();
  }

  private long takeTable(int clusterCount) throws BlockException {
    long first = free.take(clusterCount);
    for (long cluster = first; cluster < first + clusterCount; cluster++) {
      want(cluster);
    }
    return first;
  }

  private void want(long cluster) {
    wanted.set((int) (cluster / perBlock()));
  }

  private int perBlock() {
    return width.perBytes(image.clusterSize());
  }

  /** A block may need another one that counts it. */
  private void takeBlocks(long[] blocks) throws BlockException {
    ClusterCounts counts = references.counts();
    for (long c = counts.nextUsed(0); c < counts.size(); c = counts.nextUsed(c + 1)) {
      want(c);
    }
    if (!goal.isComplete()) {
      wanted.set(0, blocks.length);
    }
    for (int i = wanted.nextSetBit(0); i >= 0; i = wanted.nextSetBit(0)) {
      if (blocks[i] == 0) {
        blocks[i] = free.take(1);
        want(blocks[i]);
      }
      wanted.clear(i);
    }
  }

  private void writeBlocks(long[] blocks, ByteBuffer buffer) throws IOException {
    try (BouncePool.Bounce bounce = BouncePool.take(image.clusterSize())) {
      for (int i = 0; i < blocks.length; i++) {
        if (blocks[i] != 0) {
          fill(buffer.clear(), i, old(i, bounce.buffer()));
          file.write(blocks[i] << image.clusterBits(), buffer, WriteFlags.NONE);
        }
      }
    }
  }

  /** Returns the old block if that matters and there is one that can be read. */
  private @Nullable ByteBuffer old(int index, ByteBuffer buffer) throws IOException {
    return goal.isComplete() || stored.isDamaged(index) ? null : stored.read(index, buffer);
  }

  private void fill(ByteBuffer block, int index, @Nullable ByteBuffer old) {
    int perBlock = perBlock();
    long known = stored.isDamaged(index) ? RefcountGoal.UNKNOWN : 0;
    for (int i = 0; i < perBlock; i++) {
      long cluster = (long) index * perBlock + i;
      long before = old == null ? known : width.get(old, i);
      width.set(block, i, free.isTakenAtEnd(cluster) ? 1 : goal.of(cluster, before));
    }
  }

  private void writeTable(long[] blocks, long cluster, int clusterCount) throws IOException {
    ByteBuffer bytes = BouncePool.allocate(clusterCount << image.clusterBits());
    for (int i = 0; i < blocks.length; i++) {
      bytes.putLong(i * Long.BYTES, blocks[i] << image.clusterBits());
    }
    file.write(cluster << image.clusterBits(), bytes, WriteFlags.NONE);
  }

  private void switchTo(Place place) throws IOException {
    Qcow2Header header = image.header();
    new HeaderFields(file, image.clusterBits())
        .switchRefcountTable(
            header.refcountTableOffset(),
            header.refcountTableClusters(),
            place.tableOffset(),
            place.tableClusters());
  }
}
