// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

/**
 * The free rest of the host cluster that compressed clusters were put into last. It is given up
 * when that cluster may become free: then it is somebody else's. Guarded by the metadata lock.
 */
final class CompressedTail {
  /** There is none; no compressed cluster can be where the header is. */
  static final long NONE = 0;

  private final ClusterGeometry geometry;
  private long hostOffset = NONE;

  CompressedTail(ClusterGeometry geometry) {
    this.geometry = geometry;
  }

  /** Returns where it starts, in bytes; any alignment. */
  long hostOffset() {
    return hostOffset;
  }

  /** Notes that everything up to here is taken. */
  void startAt(long firstFree) {
    hostOffset = geometry.isClusterAligned(firstFree) ? NONE : firstFree;
  }

  /** Gives it up if it lies in one of these host clusters. */
  void leave(long firstCluster, long endCluster) {
    long cluster = hostOffset >> geometry.clusterBits();
    if (cluster >= firstCluster && cluster < endCluster) {
      hostOffset = NONE;
    }
  }
}
