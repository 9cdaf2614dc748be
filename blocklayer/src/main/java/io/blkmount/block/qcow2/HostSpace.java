// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;

/** Knows how many clusters the image file can have, and above which it was never written. */
final class HostSpace {
  private final Metadata metadata;

  /** How many clusters a device holds; no limit for a file. */
  private final long maxClusters;

  /**
   * One past the highest cluster that was ever in use: above it a file was never written. On a
   * device, one past the highest that was taken since it was opened. Guarded by the metadata lock.
   */
  private long highWater;

  HostSpace(Metadata metadata, long fileLength) {
    this.metadata = metadata;
    int bits = metadata.geometry().clusterBits();
    boolean growable = metadata.file().support().growable();
    this.maxClusters = growable ? Long.MAX_VALUE : fileLength >> bits;
    this.highWater = growable ? metadata.geometry().clusterEnd(fileLength) >> bits : 0;
  }

  long maxClusters() {
    return maxClusters;
  }

  /** Fails with {@code NO_SPACE} if a device ends before a cluster. */
  void requireRoom(long cluster) throws BlockException {
    if (cluster >= maxClusters) {
      throw new BlockException(
          BlockError.NO_SPACE,
          metadata.file().name() + ": all " + maxClusters + " clusters are used");
    }
  }

  /** Returns one past the highest cluster that was ever in use; holds the metadata lock. */
  long highWater() {
    return highWater;
  }

  /** Notes that clusters below {@code endCluster} are in use; holds the metadata lock. */
  void raiseHighWater(long endCluster) {
    highWater = Math.max(highWater, endCluster);
  }

  /** Notes that clusters below {@code endCluster} are about to be written. */
  void noteUse(long endCluster) {
    metadata.lock().lock();
    try {
      raiseHighWater(endCluster);
    } finally {
      metadata.lock().unlock();
    }
  }
}
