// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

/**
 * What the refcount of a cluster should be.
 *
 * @param counts the references that were found
 * @param isComplete whether these are all: if something is damaged that could have led to more, no
 *     refcount goes down, and what has none that can be read counts as used
 * @param clusterCount of the file
 * @param max the largest refcount that can be stored
 */
record RefcountGoal(ClusterCounts counts, boolean isComplete, long clusterCount, long max) {
  /** What is passed for a refcount that cannot be read. */
  static final long UNKNOWN = -1;

  /**
   * Returns the right refcount.
   *
   * @param stored the one in the image, or {@link #UNKNOWN}
   */
  long of(long cluster, long stored) {
    long counted = cluster < counts.size() ? Math.min(counts.count(cluster), max) : 0;
    if (isComplete) {
      return counted;
    }
    long least = stored == UNKNOWN && cluster < clusterCount ? 1 : stored;
    return Math.max(counted, least);
  }
}
