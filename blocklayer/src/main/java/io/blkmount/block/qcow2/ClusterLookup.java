// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.driver.Extent;
import io.blkmount.block.error.CorruptImageException;
import java.io.IOException;

/** Finds where guest data is stored, without changing the image and without a lock. */
final class ClusterLookup {
  /** From so many entries on, looking for the end of a hole is worth some garbage. */
  private static final int MANY_ENTRIES = 32;

  private final Metadata metadata;
  private final ClusterGeometry geometry;

  ClusterLookup(Metadata metadata) {
    this.metadata = metadata;
    this.geometry = metadata.geometry();
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
      int index = geometry.indexInSlice(guestOffset);
      long entry = cached.entry(index);
      int clusters = clusterCount(cached, index, entry, guestOffset, maxLength);
      if (cached.isCurrent()) {
        return run(entry, clusters, guestOffset, maxLength);
      }
    }
    return findPinned(sliceOffset, guestOffset, maxLength);
  }

  private ClusterRun findPinned(long sliceOffset, long guestOffset, long maxLength)
      throws IOException {
    try (Slice slice = metadata.l2Cache().pin(sliceOffset)) {
      return runFrom(slice, guestOffset, maxLength);
    }
  }

  /** Does {@link #find} in the pinned slice that maps {@code guestOffset}. */
  ClusterRun runFrom(Slice slice, long guestOffset, long maxLength) throws IOException {
    int index = geometry.indexInSlice(guestOffset);
    long entry = slice.entry(index);
    int clusters = clusterCount(slice, index, entry, guestOffset, maxLength);
    return run(entry, clusters, guestOffset, maxLength);
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
      long length = unallocatedIn(cached, guestOffset, maxLength);
      if (cached.isCurrent()) {
        return length;
      }
    }
    try (Slice slice = metadata.l2Cache().pin(sliceOffset)) {
      return unallocatedIn(slice, guestOffset, maxLength);
    }
  }

  private long unallocatedIn(Slice slice, long guestOffset, long maxLength) {
    int index = geometry.indexInSlice(guestOffset);
    long entry = slice.entry(index);
    if (metadata.kind(entry) != L2Entry.Kind.UNALLOCATED) {
      return 0;
    }
    long clusters = clusterCount(slice, index, entry, guestOffset, maxLength);
    int inCluster = geometry.offsetInCluster(guestOffset);
    return Math.min(maxLength, (clusters << geometry.clusterBits()) - inCluster);
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

  /** Counts the clusters from {@code index} on that make one run of no more than is wanted. */
  private int clusterCount(Slice slice, int index, long entry, long guestOffset, long maxLength) {
    int inCluster = geometry.offsetInCluster(guestOffset);
    if (inCluster + maxLength <= geometry.clusterSize()) {
      return 1;
    }
    L2Entry.Kind kind = metadata.kind(entry);
    return switch (kind) {
      case NORMAL, ZERO_ALLOCATED -> countStored(slice, index, entry, inCluster + maxLength);
      case UNALLOCATED, ZERO_PLAIN -> countUnstored(slice, index, kind, inCluster + maxLength);
      case COMPRESSED -> 1;
    };
  }

  private ClusterRun run(long entry, int clusters, long guestOffset, long maxLength)
      throws CorruptImageException {
    L2Entry.Kind kind = metadata.kind(entry);
    int inCluster = geometry.offsetInCluster(guestOffset);
    long hostOffset = Extent.NO_HOST_OFFSET;
    requireSound(entry, kind, guestOffset);
    if (kind == L2Entry.Kind.NORMAL || kind == L2Entry.Kind.ZERO_ALLOCATED) {
      hostOffset = L2Entry.hostOffset(entry) + inCluster;
    }
    long length = Math.min(maxLength, ((long) clusters << geometry.clusterBits()) - inCluster);
    return new ClusterRun(kind, guestOffset, length, hostOffset, L2Entry.isCopied(entry), entry);
  }

  /**
   * Checks where an entry points to.
   *
   * @param guestOffset in the cluster that the entry maps
   * @throws CorruptImageException if no cluster can be there
   */
  void requireSound(long entry, L2Entry.Kind kind, long guestOffset) throws CorruptImageException {
    if (kind == L2Entry.Kind.UNALLOCATED || kind == L2Entry.Kind.ZERO_PLAIN) {
      return;
    }
    if (metadata.data().isExternal()) {
      requireOwnPlace(entry, kind, geometry.clusterStart(guestOffset));
    }
    if (kind == L2Entry.Kind.COMPRESSED) {
      return;
    }
    long hostOffset = L2Entry.hostOffset(entry);
    if (hostOffset != 0 && L2Entry.hasReservedBits(entry)) {
      throw new CorruptImageException(
          "data cluster", hostOffset, "reserved bits are set: 0x" + Long.toHexString(entry));
    }
    if (!geometry.isClusterAligned(hostOffset)) {
      throw new CorruptImageException(
          "data cluster",
          hostOffset,
          "not a multiple of the cluster size " + geometry.clusterSize());
    }
  }

  /** An entry that names another place would give the guest another cluster's bytes. */
  private static void requireOwnPlace(long entry, L2Entry.Kind kind, long clusterStart)
      throws CorruptImageException {
    if (kind == L2Entry.Kind.COMPRESSED) {
      throw new CorruptImageException(
          "cluster of guest offset 0x"
              + Long.toHexString(clusterStart)
              + ": compressed, although the data lies in an external data file");
    }
    if (L2Entry.hostOffset(entry) != clusterStart) {
      throw new CorruptImageException(
          "data cluster",
          L2Entry.hostOffset(entry),
          "in the external data file only guest offset 0x"
              + Long.toHexString(clusterStart)
              + " is right");
    }
  }

  /** Counts entries that go on where the one before ends, flags and all. */
  private int countStored(Slice slice, int index, long entry, long maxLength) {
    int limit = limit(index, maxLength);
    int count = 1;
    while (count < limit
        && slice.entry(index + count) == entry + ((long) count << geometry.clusterBits())) {
      count++;
    }
    return count;
  }

  private int countUnstored(Slice slice, int index, L2Entry.Kind kind, long maxLength) {
    int limit = limit(index, maxLength);
    int count = 1;
    if (kind == L2Entry.Kind.UNALLOCATED && limit > MANY_ENTRIES) {
      count += slice.zeroCount(index + count, limit - count);
    }
    while (count < limit && metadata.kind(slice.entry(index + count)) == kind) {
      count++;
    }
    return count;
  }

  private int limit(int index, long maxLength) {
    long clusters = (maxLength + geometry.clusterSize() - 1) >> geometry.clusterBits();
    return (int) Math.min(clusters, geometry.entriesPerSlice() - index);
  }
}
