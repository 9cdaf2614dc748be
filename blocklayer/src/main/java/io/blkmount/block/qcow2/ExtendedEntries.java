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
  /** From so many clusters on, looking for the end of a hole is worth some garbage. */
  private static final int MANY_CLUSTERS = 16;

  /** The zero flag of a standard entry, which means nothing in an extended one. */
  private static final long NO_FLAG = ~L2Entry.ZERO_ENTRY;

  private final ClusterGeometry geometry;
  private final boolean isExternal;

  ExtendedEntries(ClusterGeometry geometry, GuestData data) {
    super(geometry, data);
    this.geometry = geometry;
    this.isExternal = data.isExternal();
  }

  /** Returns which word of a slice the entry of a guest offset begins with. */
  private int word(long guestOffset) {
    return geometry.indexInSlice(guestOffset) << 1;
  }

  private boolean hasHostCluster(long entry) {
    return L2Entry.hostOffset(entry) != 0 || (isExternal && L2Entry.isCopied(entry));
  }

  @Override
  ClusterRun find(Slice slice, long guestOffset, long maxLength) throws CorruptImageException {
    int word = word(guestOffset);
    while (true) {
      int stamp = slice.stamp();
      long entry = slice.entry(word);
      long map = slice.entry(word + 1);
      long length = runLength(slice, guestOffset, maxLength, true);
      if (slice.isUnchangedSince(stamp)) {
        return run(slice, entry, map, guestOffset, length);
      }
    }
  }

  @Override
  @Nullable ClusterRun findCurrent(Slice slice, long guestOffset, long maxLength)
      throws CorruptImageException {
    int word = word(guestOffset);
    while (true) {
      int stamp = slice.stamp();
      long entry = slice.entry(word);
      long map = slice.entry(word + 1);
      long length = runLength(slice, guestOffset, maxLength, true);
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
    int word = word(guestOffset);
    while (true) {
      int stamp = slice.stamp();
      long entry = slice.entry(word);
      long map = slice.entry(word + 1);
      boolean absent =
          !L2Entry.isCompressed(entry)
              && SubclusterMap.isAbsent(map, geometry.subclusterIndex(guestOffset));
      long length = absent ? runLength(slice, guestOffset, maxLength, false) : 0;
      if (slice.isUnchangedSince(stamp)) {
        return length;
      }
    }
  }

  /**
   * Returns how many bytes from an offset on are in the same state.
   *
   * @param inOnePlace whether they have to be consecutive in the host file, too
   */
  private long runLength(Slice slice, long guestOffset, long maxLength, boolean inOnePlace) {
    int word = word(guestOffset);
    int inCluster = geometry.offsetInCluster(guestOffset);
    long map = slice.entry(word + 1);
    if (L2Entry.isCompressed(slice.entry(word))) {
      return Math.min(maxLength, geometry.clusterSize() - inCluster);
    }
    int index = geometry.subclusterIndex(guestOffset);
    int end = index + SubclusterMap.runLength(map, index);
    long length = ((long) end << geometry.subclusterBits()) - inCluster;
    if (end == SubclusterMap.COUNT && length < maxLength && SubclusterMap.isSound(map)) {
      length += laterLength(slice, guestOffset, maxLength - length, inOnePlace);
    }
    return Math.min(maxLength, length);
  }

  /** Continues in the clusters after that of the guest offset. */
  private long laterLength(Slice slice, long guestOffset, long maxLength, boolean inOnePlace) {
    int word = word(guestOffset);
    long entry = slice.entry(word);
    long map = slice.entry(word + 1);
    int state = SubclusterMap.state(map, SubclusterMap.COUNT - 1);
    long step = hasHostCluster(entry) ? geometry.clusterSize() : 0;
    int clusters = holeLength(slice, word, entry | map, maxLength);
    long length = (long) clusters << geometry.clusterBits();
    int count = SubclusterMap.COUNT;
    int limit = geometry.entriesPerSlice() << 1;
    for (int next = word + 2 * (clusters + 1); next < limit && length < maxLength; next += 2) {
      long expected = entry + step * ((next - word) >> 1);
      count = sameAtStart(slice, next, state, inOnePlace ? expected : slice.entry(next));
      length += (long) count << geometry.subclusterBits();
      if (count < SubclusterMap.COUNT) {
        break;
      }
    }
    return length;
  }

  /** Returns how many clusters after an entry of zeros have such entries, if many are wanted. */
  private int holeLength(Slice slice, int word, long words, long maxLength) {
    long wanted = maxLength >> geometry.clusterBits();
    int limit = (geometry.entriesPerSlice() << 1) - (word + 2);
    if (words != 0 || wanted < MANY_CLUSTERS || limit <= 0) {
      return 0;
    }
    return slice.zeroCount(word + 2, (int) Math.min(limit, wanted << 1)) >> 1;
  }

  /** Returns how many subclusters at a cluster's start are in a state and where is expected. */
  private static int sameAtStart(Slice slice, int word, int state, long expected) {
    long entry = slice.entry(word);
    long map = slice.entry(word + 1);
    boolean goesOn =
        entry == expected
            && !L2Entry.isCompressed(entry)
            && SubclusterMap.isSound(map)
            && SubclusterMap.state(map, 0) == state;
    return goesOn ? SubclusterMap.runLength(map, 0) : 0;
  }

  private ClusterRun run(Slice slice, long entry, long map, long guestOffset, long length)
      throws CorruptImageException {
    requireSoundMap(slice, entry, map, word(guestOffset));
    L2Entry.Kind kind = kind(entry, map, geometry.subclusterIndex(guestOffset));
    boolean stored = kind != L2Entry.Kind.COMPRESSED && hasHostCluster(entry);
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
          hasHostCluster(entry) ? L2Entry.Kind.ZERO_ALLOCATED : L2Entry.Kind.ZERO_PLAIN;
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
    } else if (SubclusterMap.stored(map) != 0 && !hasHostCluster(entry)) {
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
    for (int next = word(start) + 2; next < limit && end < start + maxLength; next += 2) {
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
    long map = slice.entry(word(end - 1) + 1);
    int state = SubclusterMap.state(map, geometry.subclusterIndex(end - 1));
    return state == SubclusterMap.STORED ? end : Alignment.down(end, geometry.subclusterSize());
  }

  @Override
  long link(Slice slice, long start, long end, long hostOffset) {
    int word = word(start);
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
    int word = word(guestOffset);
    long before = slice.entry(word);
    slice.setPair(word, entry, SubclusterMap.NONE);
    return before;
  }

  @Override
  long reserve(Slice slice, long guestOffset, long hostOffset) {
    int word = word(guestOffset);
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
    return hasHostCluster(entry) ? entry & NO_FLAG | flag : flag;
  }

  @Override
  void setWholeCluster(Slice slice, int index, long standardEntry) {
    boolean zero = (standardEntry & L2Entry.ZERO_ENTRY) != 0;
    long entry = standardEntry & NO_FLAG;
    long map = zero ? SubclusterMap.ALL_ZERO : SubclusterMap.NONE;
    if (!zero && hasHostCluster(entry)) {
      map = SubclusterMap.ALL_STORED;
    }
    slice.setPair(index << 1, entry, map);
  }

  @Override
  boolean zeroPart(Slice slice, long start, long end, boolean alsoUnallocated)
      throws CorruptImageException {
    int word = word(start);
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
    int word = word(clusterStart);
    int inside = touched(Math.max(start, clusterStart), Math.min(end, clusterEnd));
    return L2Entry.isCompressed(slice.entry(word))
        ? 0
        : SubclusterMap.stored(slice.entry(word + 1)) & ~inside;
  }
}
