// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.driver.Extent;

/**
 * A run of guest bytes whose clusters are of one kind and, where they have host clusters,
 * consecutive in the file.
 *
 * @param kind what the L2 entries say
 * @param guestOffset first byte; any alignment
 * @param length in bytes, at least 1
 * @param hostOffset of the first byte if the kind is stored as it is; its place in a host cluster
 *     in reserve for ZERO_ALLOCATED and for UNALLOCATED subclusters of a host cluster; else {@link
 *     Extent#NO_HOST_OFFSET}
 * @param copied whether the host clusters belong to this image state alone
 * @param entry the first L2 entry
 */
record ClusterRun(
    L2Entry.Kind kind, long guestOffset, long length, long hostOffset, boolean copied, long entry) {

  /** Returns whether guest data may be written over the host clusters as they are. */
  boolean isOverwritable() {
    return kind == L2Entry.Kind.NORMAL && copied;
  }

  /** Returns whether there is a host cluster, whatever is in it. */
  boolean hasHostCluster() {
    return hostOffset != Extent.NO_HOST_OFFSET;
  }

  boolean isZero() {
    return kind == L2Entry.Kind.ZERO_PLAIN || kind == L2Entry.Kind.ZERO_ALLOCATED;
  }

  /** Returns where a guest byte is stored; it may lie outside the run, in the same clusters. */
  long hostOffsetOf(long otherGuestOffset) {
    return hostOffset + (otherGuestOffset - guestOffset);
  }

  Extent toExtent() {
    Extent.Kind extentKind =
        switch (kind) {
          case NORMAL -> Extent.Kind.DATA;
          case COMPRESSED -> Extent.Kind.COMPRESSED;
          case ZERO_PLAIN, ZERO_ALLOCATED -> Extent.Kind.ZERO;
          case UNALLOCATED -> Extent.Kind.UNALLOCATED;
        };
    long shownOffset = extentKind == Extent.Kind.UNALLOCATED ? Extent.NO_HOST_OFFSET : hostOffset;
    return new Extent(extentKind, guestOffset, length, shownOffset, 0);
  }
}
