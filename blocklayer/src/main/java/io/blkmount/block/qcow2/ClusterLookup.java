// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.driver.Extent;
import io.blkmount.block.error.CorruptImageException;
import java.io.IOException;

/** Finds where guest data is stored, without changing the image and without a lock. */
final class ClusterLookup {
  private final Metadata metadata;
  private final ClusterGeometry geometry;
  private final L2Entries entries;

  ClusterLookup(Metadata metadata) {
    this.metadata = metadata;
    this.geometry = metadata.geometry();
    this.entries = metadata.l2Entries();
  }

  /**
   * Returns the run that starts at {@code guestOffset}; stands for QEMU's {@code
   * qcow2_get_host_offset()}.
   *
   * @param guestOffset in bytes; any alignment
   * @param maxLength in bytes, at least 1; the run may be shorter, never longer
   * @throws CorruptImageException if a table or cluster it needs is not where one can be
   * @throws IOException if the L2 table cannot be read
   */
  ClusterRun find(long guestOffset, long maxLength) throws IOException {
    assert maxLength > 0 : maxLength;
    RootTable l1 = metadata.l1();
    int l1Index = geometry.l1Index(guestOffset);
    long l2Offset = l2Offset(l1, l1Index);
    if (l2Offset == 0) {
      return unmapped(l1, l1Index, guestOffset, maxLength);
    }
    long sliceOffset = l2Offset + geometry.sliceOffset(guestOffset);
    Slice cached = metadata.l2Cache().peek(sliceOffset);
    if (cached != null) {
      ClusterRun run = entries.findCurrent(cached, guestOffset, maxLength);
      if (run != null) {
        return run;
      }
    }
    return findPinned(sliceOffset, guestOffset, maxLength);
  }

  private ClusterRun findPinned(long sliceOffset, long guestOffset, long maxLength)
      throws IOException {
    try (Slice slice = metadata.l2Cache().pin(sliceOffset)) {
      return entries.find(slice, guestOffset, maxLength);
    }
  }

  /**
   * Returns how much of a range is not in this image from its start on; 0 if the first byte is.
   *
   * <p>A read that falls through a chain asks this of each of its layers, so it makes no garbage.
   */
  long unallocatedLength(long guestOffset, long maxLength) throws IOException {
    RootTable l1 = metadata.l1();
    int l1Index = geometry.l1Index(guestOffset);
    long l2Offset = l2Offset(l1, l1Index);
    if (l2Offset == 0) {
      return unmappedLength(l1, l1Index, guestOffset, maxLength);
    }
    long sliceOffset = l2Offset + geometry.sliceOffset(guestOffset);
    Slice cached = metadata.l2Cache().peek(sliceOffset);
    if (cached != null) {
      long length = entries.unallocatedLength(cached, guestOffset, maxLength);
      if (cached.isCurrent()) {
        return length;
      }
    }
    try (Slice slice = metadata.l2Cache().pin(sliceOffset)) {
      return entries.unallocatedLength(slice, guestOffset, maxLength);
    }
  }

  /**
   * Returns the host offset of the L2 table for an L1 index, 0 if there is none.
   *
   * @throws CorruptImageException if it is not on a cluster boundary
   */
  long l2Offset(RootTable l1, int l1Index) throws CorruptImageException {
    return l2Offset(l1.entry(l1Index));
  }

  /** Does {@link #l2Offset(RootTable, int)} for an entry that the caller has read. */
  long l2Offset(long l1Entry) throws CorruptImageException {
    long l2Offset = L1Entry.l2Offset(l1Entry);
    if (!geometry.isClusterAligned(l2Offset)) {
      throw new CorruptImageException(
          "L2 table", l2Offset, "not a multiple of the cluster size " + geometry.clusterSize());
    }
    return l2Offset;
  }

  private ClusterRun unmapped(RootTable l1, int l1Index, long guestOffset, long maxLength) {
    long length = unmappedLength(l1, l1Index, guestOffset, maxLength);
    return new ClusterRun(
        L2Entry.Kind.UNALLOCATED, guestOffset, length, Extent.NO_HOST_OFFSET, false, 0);
  }

  private long unmappedLength(RootTable l1, int l1Index, long guestOffset, long maxLength) {
    long end = (l1Index + 1) * geometry.l2Span();
    long limit = guestOffset + maxLength;
    for (int i = l1Index + 1;
        end < limit && i < l1.entryCount() && L1Entry.l2Offset(l1.entry(i)) == 0;
        i++) {
      end += geometry.l2Span();
    }
    return Math.min(end, limit) - guestOffset;
  }
}
