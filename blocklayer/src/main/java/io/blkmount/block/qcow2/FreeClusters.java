// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import java.util.BitSet;

/** Finds clusters that nothing refers to, for structures that are made anew. */
final class FreeClusters {
  private final HostReferences references;
  private final ClusterCounts counts;
  private final long countedEnd;
  private final long limit;

  /** No cluster below is free. */
  private long next;

  /** What was taken from {@code countedEnd} on. */
  private final BitSet takenAtEnd = new BitSet();

  /** From here on nothing was taken. */
  private long end;

  /**
   * Prepares a search.
   *
   * @param references what is taken below {@code countedEnd} counts as referred to
   * @param start the first cluster that may be taken
   * @param countedEnd from here on nothing is counted
   * @param limit how many clusters the file can have
   */
  FreeClusters(HostReferences references, long start, long countedEnd, long limit) {
    this.references = references;
    this.counts = references.counts();
    this.countedEnd = countedEnd;
    this.limit = limit;
    this.next = start;
    this.end = countedEnd;
  }

  /** Returns whether a cluster was taken from those that are not counted. */
  boolean isTakenAtEnd(long cluster) {
    return cluster >= countedEnd && cluster < end && takenAtEnd.get((int) (cluster - countedEnd));
  }

  /**
   * Takes clusters that lie one behind the other, the lowest that there are.
   *
   * @return the first of them
   * @throws BlockException with {@code NO_SPACE} if the file can have no more
   */
  long take(long clusterCount) throws BlockException {
    long first = next;
    for (long at = first; at < countedEnd && at < first + clusterCount; at++) {
      first = counts.count(at) == 0 ? first : at + 1;
    }
    if (first + clusterCount <= countedEnd) {
      return takeInside(first, clusterCount);
    }
    next = clusterCount == 1 ? countedEnd : next;
    return takeAtEnd(clusterCount);
  }

  private long takeInside(long first, long clusterCount) {
    for (long cluster = first; cluster < first + clusterCount; cluster++) {
      counts.add(cluster, 1);
    }
    next = clusterCount == 1 ? first + 1 : next;
    return first;
  }

  private long takeAtEnd(long clusterCount) throws BlockException {
    long first = end;
    long claimed = references.nextBehind(first);
    while (claimed < first + clusterCount) { // a damaged entry leads there: it would find refcounts
      first = claimed + 1;
      claimed = references.nextBehind(first);
    }
    if (clusterCount > limit - first) {
      throw new BlockException(
          BlockError.NO_SPACE,
          "no room for new tables: all " + limit + " clusters of the device are used");
    }
    end = first + clusterCount;
    takenAtEnd.set((int) (first - countedEnd), (int) (end - countedEnd));
    return first;
  }
}
