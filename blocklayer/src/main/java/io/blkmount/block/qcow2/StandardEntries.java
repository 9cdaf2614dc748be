// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.driver.Extent;
import io.blkmount.block.error.CorruptImageException;
import org.jspecify.annotations.Nullable;

/** Standard L2 entries: 8 bytes for a cluster. */
final class StandardEntries extends L2Entries {
  /** From so many entries on, looking for the end of a hole is worth some garbage. */
  private static final int MANY_ENTRIES = 32;

  private final ClusterGeometry geometry;
  private final boolean isExternal;
  private final boolean zeroFlagKnown;

  StandardEntries(ClusterGeometry geometry, GuestData data, boolean zeroFlagKnown) {
    super(geometry, data);
    this.geometry = geometry;
    this.isExternal = data.isExternal();
    this.zeroFlagKnown = zeroFlagKnown;
  }

  private L2Entry.Kind kind(long entry) {
    return isExternal ? L2Entry.externalKind(entry) : L2Entry.kind(entry, zeroFlagKnown);
  }

  @Override
  ClusterRun find(Slice slice, long guestOffset, long maxLength) throws CorruptImageException {
    int index = geometry.indexInSlice(guestOffset);
    long entry = slice.entry(index);
    int clusters = clusterCount(slice, index, entry, guestOffset, maxLength);
    return run(entry, clusters, guestOffset, maxLength);
  }

  /** One cluster is as it was if its entry is; of more the others may differ. */
  @Override
  ClusterRun refind(Slice slice, ClusterRun before, long maxLength) throws CorruptImageException {
    long guestOffset = before.guestOffset();
    boolean isSame =
        before.length() == maxLength
            && geometry.offsetInCluster(guestOffset) + maxLength <= geometry.clusterSize()
            && slice.entry(geometry.indexInSlice(guestOffset)) == before.entry();
    return isSame ? before : find(slice, guestOffset, maxLength);
  }

  @Override
  @Nullable ClusterRun findCurrent(Slice slice, long guestOffset, long maxLength)
      throws CorruptImageException {
    int index = geometry.indexInSlice(guestOffset);
    long entry = slice.entry(index);
    int clusters = clusterCount(slice, index, entry, guestOffset, maxLength);
    return slice.isCurrent() ? run(entry, clusters, guestOffset, maxLength) : null;
  }

  @Override
  long unallocatedLength(Slice slice, long guestOffset, long maxLength) {
    int index = geometry.indexInSlice(guestOffset);
    long entry = slice.entry(index);
    if (kind(entry) != L2Entry.Kind.UNALLOCATED) {
      return 0;
    }
    long clusters = clusterCount(slice, index, entry, guestOffset, maxLength);
    int inCluster = geometry.offsetInCluster(guestOffset);
    return Math.min(maxLength, (clusters << geometry.clusterBits()) - inCluster);
  }

  /** Counts the clusters from {@code index} on that make one run of no more than is wanted. */
  private int clusterCount(Slice slice, int index, long entry, long guestOffset, long maxLength) {
    int inCluster = geometry.offsetInCluster(guestOffset);
    if (inCluster + maxLength <= geometry.clusterSize()) {
      return 1;
    }
    L2Entry.Kind kind = kind(entry);
    return switch (kind) {
      case NORMAL, ZERO_ALLOCATED -> countStored(slice, index, entry, inCluster + maxLength);
      case UNALLOCATED, ZERO_PLAIN -> countUnstored(slice, index, kind, inCluster + maxLength);
      case COMPRESSED -> 1;
    };
  }

  private ClusterRun run(long entry, int clusters, long guestOffset, long maxLength)
      throws CorruptImageException {
    L2Entry.Kind kind = kind(entry);
    int inCluster = geometry.offsetInCluster(guestOffset);
    long hostOffset = Extent.NO_HOST_OFFSET;
    requireSound(entry, kind, guestOffset);
    if (L2Entry.hasHostCluster(kind)) {
      hostOffset = L2Entry.hostOffset(entry) + inCluster;
    }
    long length = Math.min(maxLength, ((long) clusters << geometry.clusterBits()) - inCluster);
    return new ClusterRun(kind, guestOffset, length, hostOffset, L2Entry.isCopied(entry), entry);
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
    while (count < limit && kind(slice.entry(index + count)) == kind) {
      count++;
    }
    return count;
  }

  private int limit(int index, long maxLength) {
    long clusters = (maxLength + geometry.clusterSize() - 1) >> geometry.clusterBits();
    return (int) Math.min(clusters, geometry.entriesPerSlice() - index);
  }

  @Override
  long placeLength(Slice slice, ClusterRun run, long maxLength) {
    return run.length();
  }

  @Override
  long link(Slice slice, long start, long end, long hostOffset) {
    return replace(slice, start, L2Entry.normal(hostOffset));
  }

  @Override
  long linkCompressed(Slice slice, long guestOffset, long entry) {
    return replace(slice, guestOffset, entry);
  }

  @Override
  long reserve(Slice slice, long guestOffset, long hostOffset) {
    return replace(slice, guestOffset, L2Entry.zeroAllocated(hostOffset));
  }

  private long replace(Slice slice, long guestOffset, long entry) {
    int index = geometry.indexInSlice(guestOffset);
    long before = slice.entry(index);
    slice.setEntry(index, entry);
    return before;
  }

  @Override
  long wholeCluster(Slice slice, int index) {
    return slice.entry(index);
  }

  @Override
  void setWholeCluster(Slice slice, int index, long standardEntry) {
    slice.setEntry(index, standardEntry);
  }

  @Override
  boolean zeroPart(Slice slice, long start, long end, boolean alsoUnallocated) {
    throw new IllegalArgumentException("a standard L2 entry has no parts");
  }

  @Override
  int storedOutside(Slice slice, long clusterStart, long start, long end) {
    return 0; // the edges, which are copied, are the rest of the cluster
  }
}
