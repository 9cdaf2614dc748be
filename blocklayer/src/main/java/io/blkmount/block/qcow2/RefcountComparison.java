// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.qcow2.CheckTally.Remedy;
import java.io.IOException;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/** Compares the refcounts that the file has stored with the references that were counted. */
final class RefcountComparison {
  private final CheckedImage image;
  private final StoredRefcounts stored;
  private final ClusterCounts counts;
  private final ClusterCounts l2Tables;
  private final CheckTally tally;
  private long lastUsed;

  /**
   * Prepares a comparison.
   *
   * @param counts references of every kind
   * @param l2Tables references to L2 tables by L1 entries, which {@code counts} contains
   */
  RefcountComparison(
      CheckedImage image,
      StoredRefcounts stored,
      ClusterCounts counts,
      ClusterCounts l2Tables,
      CheckTally tally) {
    this.image = image;
    this.stored = stored;
    this.counts = counts;
    this.l2Tables = l2Tables;
    this.tally = tally;
  }

  /** Compares all clusters of the file, and the one behind it if something refers to that. */
  void run(ByteBuffer buffer) throws IOException {
    long end = image.clusterCount();
    end += counts.count(end) > 0 ? 1 : 0;
    int perBlock = stored.refcountsPerBlock();
    for (long first = 0; first < end; first += perBlock) {
      long index = first / perBlock;
      long limit = Math.min(first + perBlock, end);
      if (stored.isReadable(index)) {
        compare(first, limit, stored.read(index, buffer));
      } else {
        tally.error(
            Remedy.REFCOUNT,
            limit - first,
            () -> "refcount block " + index + ": not on a cluster boundary, cannot be read");
      }
    }
  }

  private void compare(long first, long limit, @Nullable ByteBuffer block) {
    if (block == null) {
      for (long c = counts.nextUsed(first); c < limit; c = counts.nextUsed(c + 1)) {
        compare(c, 0);
      }
    } else {
      for (long c = first; c < limit; c++) {
        compare(c, stored.width().get(block, (int) (c - first)));
      }
    }
  }

  private void compare(long cluster, long refcount) {
    long count = counts.count(cluster);
    if (refcount == 0 && count == 0) {
      return;
    }
    lastUsed = cluster;
    long storable = Math.min(count, stored.width().max());
    if (count > storable) {
      tally.corruption(
          count - storable,
          () -> describe(cluster, refcount, count) + ", more than a refcount can count");
    }
    if (Long.compareUnsigned(refcount, storable) < 0) {
      tally.corruption(Remedy.REFCOUNT, 1, () -> describe(cluster, refcount, count));
    } else if (refcount != storable) {
      tally.leak(() -> describe(cluster, refcount, count));
    } else if (count == storable && isShared(cluster, count)) {
      tally.corruption(
          stored.holds(cluster) ? Remedy.REFCOUNT : Remedy.SHARED,
          1,
          () -> describe(cluster, refcount, count) + ", but holds what nothing may share");
    }
  }

  /** Returns whether a cluster with metadata is used for something else, too. */
  private boolean isShared(long cluster, long count) {
    long tables = l2Tables.count(cluster);
    return count > 1
        && (counts.has(cluster, ClusterCounts.OWNED) || (tables > 0 && count > tables));
  }

  private String describe(long cluster, long refcount, long count) {
    return "cluster "
        + cluster
        + " at host offset "
        + HeaderRules.hex(cluster << image.clusterBits())
        + ": refcount "
        + Long.toUnsignedString(refcount)
        + ", references "
        + count;
  }

  /** Returns where the last cluster ends that is counted or referred to. */
  long imageEndOffset() {
    return (lastUsed + 1) << image.clusterBits();
  }
}
