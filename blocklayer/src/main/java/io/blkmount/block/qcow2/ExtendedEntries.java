// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.bytes.Alignment;
import io.blkmount.block.driver.Extent;
import io.blkmount.block.error.CorruptImageException;
import org.jspecify.annotations.Nullable;

/**
 * Extended L2 entries: 16 bytes for a cluster, of which the second 8 are a {@link SubclusterMap}.
 *
 * <p>The two words change together ({@link Slice#setPair}), but are read one after the other; what
 * was read counts only if the slice has not changed meanwhile.
 */
final class ExtendedEntries extends L2Entries {
  /** The zero flag of a standard entry, which means nothing in an extended one. */
  private static final long NO_FLAG = ~L2Entry.ZERO_ENTRY;

  private final ClusterGeometry geometry;
  private final SubclusterRuns runs;
  private final boolean isExternal;

  ExtendedEntries(ClusterGeometry geometry, GuestData data) {
    super(geometry, data);
    this.geometry = geometry;
    this.isExternal = data.isExternal();
    this.runs = new SubclusterRuns(geometry, isExternal);
  }

  @Override
  ClusterRun find(Slice slice, long guestOffset, long maxLength) throws CorruptImageException {
    int word = geometry.wordInSlice(guestOffset);
    while (true) {
      int stamp = slice.stamp();
      long entry = slice.entry(word);
      long map = slice.entry(word + 1);
      long length = runs.length(slice, guestOffset, maxLength, true);
      if (slice.isUnchangedSince(stamp)) {
        return run(slice, entry, map, guestOffset, length);
      }
    }
  }

  @Override
  @Nullable ClusterRun findCurrent(Slice slice, long guestOffset, long maxLength)
      throws CorruptImageException {
    int word = geometry.wordInSlice(guestOffset);
    while (true) {
      int stamp = slice.stamp();
      long entry = slice.entry(word);
      long map = slice.entry(word + 1);
      long length = runs.length(slice, guestOffset, maxLength, true);
      if (!slice.isCurrent()) {
        return null;
      }
      if (slice.isUnchangedSince(stamp)) {
        return run(slice, entry, map, guestOffset, length);
      }
    }
  }

  @Override
  long unallocatedLength(Slice slice, long guestOffset, long maxLength) {
    int word = geometry.wordInSlice(guestOffset);
    while (true) {
      int stamp = slice.stamp();
      long entry = slice.entry(word);
      long map = slice.entry(word + 1);
      boolean absent =
          !L2Entry.isCompressed(entry)
              && SubclusterMap.isAbsent(map, geometry.subclusterIndex(guestOffset));
      long length = absent ? runs.length(slice, guestOffset, maxLength, false) : 0;
      if (slice.isUnchangedSince(stamp)) {
        return length;
      }
    }
  }

  private ClusterRun run(Slice slice, long entry, long map, long guestOffset, long length)
      throws CorruptImageException {
    requireSoundMap(slice, entry, map, geometry.wordInSlice(guestOffset));
    L2Entry.Kind kind = kind(entry, map, geometry.subclusterIndex(guestOffset));
    boolean stored = kind != L2Entry.Kind.COMPRESSED && L2Entry.namesHostCluster(entry, isExternal);
    requireSound(entry, stored ? L2Entry.Kind.NORMAL : kind, guestOffset);
    long hostOffset =
        stored
            ? L2Entry.hostOffset(entry) + geometry.offsetInCluster(guestOffset)
            : Extent.NO_HOST_OFFSET;
    return new ClusterRun(kind, guestOffset, length, hostOffset, L2Entry.isCopied(entry), entry);
  }

  private L2Entry.Kind kind(long entry, long map, int index) {
    if (L2Entry.isCompressed(entry)) {
      return L2Entry.Kind.COMPRESSED;
    }
    return switch (SubclusterMap.state(map, index)) {
      case SubclusterMap.STORED -> L2Entry.Kind.NORMAL;
      case SubclusterMap.ZERO ->
          L2Entry.namesHostCluster(entry, isExternal)
              ? L2Entry.Kind.ZERO_ALLOCATED
              : L2Entry.Kind.ZERO_PLAIN;
      default -> L2Entry.Kind.UNALLOCATED;
    };
  }

  private void requireSoundMap(Slice slice, long entry, long map, int word)
      throws CorruptImageException {
    String problem = null;
    if (L2Entry.isCompressed(entry)) {
      problem = map == SubclusterMap.NONE ? null : "a compressed cluster has subclusters";
    } else if (!SubclusterMap.isSound(map)) {
      problem = "subclusters are both stored and zero";
    } else if (SubclusterMap.stored(map) != 0 && !L2Entry.namesHostCluster(entry, isExternal)) {
      problem = "subclusters are stored, but there is no cluster";
    }
    if (problem != null) {
      long at = slice.hostOffset() + ((long) word << ClusterGeometry.ENTRY_SHIFT);
      throw new CorruptImageException(
          "L2 entry", at, problem + ": 0x" + Long.toHexString(entry) + ' ' + hex(map));
    }
  }

  private static String hex(long map) {
    return "0x" + Long.toHexString(map);
  }

  @Override
  long placeLength(Slice slice, ClusterRun run, long maxLength) {
    long start = run.guestOffset();
    long end = geometry.clusterEnd(start + 1);
    long expected = run.entry() + geometry.clusterSize();
    int limit = geometry.entriesPerSlice() << 1;
    int word = geometry.wordInSlice(start);
    for (int next = word + 2; next < limit && end < start + maxLength; next += 2) {
      if (slice.entry(next) != expected || !SubclusterMap.isSound(slice.entry(next + 1))) {
        break;
      }
      expected += geometry.clusterSize();
      end += geometry.clusterSize();
    }
    return Math.max(run.length(), withoutEdge(slice, Math.min(end, start + maxLength)) - start);
  }

  /** Returns where a write up to {@code end} can end so that nothing has to be filled up there. */
  private long withoutEdge(Slice slice, long end) {
    long map = slice.entry(geometry.wordInSlice(end - 1) + 1);
    int state = SubclusterMap.state(map, geometry.subclusterIndex(end - 1));
    return state == SubclusterMap.STORED ? end : Alignment.down(end, geometry.subclusterSize());
  }

  @Override
  long link(Slice slice, long start, long end, long hostOffset) {
    int word = geometry.wordInSlice(start);
    long before = slice.entry(word);
    long map =
        L2Entry.isCompressed(before)
            ? SubclusterMap.ALL_STORED
            : SubclusterMap.withStored(slice.entry(word + 1), touched(start, end));
    slice.setPair(word, L2Entry.normal(hostOffset), map);
    return before;
  }

  /** Returns the bits of the subclusters that a range in one cluster touches. */
  private int touched(long start, long end) {
    return SubclusterMap.bits(
        geometry.subclusterIndex(start), geometry.subclusterIndex(end - 1) + 1);
  }

  @Override
  long linkCompressed(Slice slice, long guestOffset, long entry) {
    int word = geometry.wordInSlice(guestOffset);
    long before = slice.entry(word);
    slice.setPair(word, entry, SubclusterMap.NONE);
    return before;
  }

  @Override
  long reserve(Slice slice, long guestOffset, long hostOffset) {
    int word = geometry.wordInSlice(guestOffset);
    long before = slice.entry(word);
    slice.setPair(word, L2Entry.normal(hostOffset), slice.entry(word + 1));
    return before;
  }

  @Override
  long wholeCluster(Slice slice, int index) throws CorruptImageException {
    long entry = slice.entry(index << 1);
    long map = slice.entry((index << 1) + 1);
    requireSoundMap(slice, entry, map, index << 1);
    if (L2Entry.isCompressed(entry)) {
      return entry;
    }
    long flag = map == SubclusterMap.ALL_ZERO ? L2Entry.ZERO_ENTRY : 0;
    return L2Entry.namesHostCluster(entry, isExternal) ? entry & NO_FLAG | flag : flag;
  }

  @Override
  void setWholeCluster(Slice slice, int index, long standardEntry) {
    boolean zero = (standardEntry & L2Entry.ZERO_ENTRY) != 0;
    long entry = standardEntry & NO_FLAG;
    long map = zero ? SubclusterMap.ALL_ZERO : SubclusterMap.NONE;
    if (!zero && L2Entry.namesHostCluster(entry, isExternal)) {
      map = SubclusterMap.ALL_STORED;
    }
    slice.setPair(index << 1, entry, map);
  }

  @Override
  boolean zeroPart(Slice slice, long start, long end, boolean alsoUnallocated)
      throws CorruptImageException {
    int word = geometry.wordInSlice(start);
    long entry = slice.entry(word);
    long map = slice.entry(word + 1);
    requireSoundMap(slice, entry, map, word);
    int bits = touched(start, end) & (alsoUnallocated ? -1 : SubclusterMap.stored(map));
    long zeroed = SubclusterMap.withZero(map, bits);
    if (zeroed == map || L2Entry.isCompressed(entry)) {
      return false;
    }
    slice.setPair(word, entry, zeroed);
    return true;
  }

  @Override
  int storedOutside(Slice slice, long clusterStart, long start, long end) {
    long clusterEnd = clusterStart + geometry.clusterSize();
    int word = geometry.wordInSlice(clusterStart);
    int inside = touched(Math.max(start, clusterStart), Math.min(end, clusterEnd));
    return L2Entry.isCompressed(slice.entry(word))
        ? 0
        : SubclusterMap.stored(slice.entry(word + 1)) & ~inside;
  }
}
