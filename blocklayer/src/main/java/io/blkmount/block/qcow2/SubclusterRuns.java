// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

/** Finds how far a run of subclusters goes in a slice of extended L2 entries. */
final class SubclusterRuns {
  /** From so many clusters on, looking for the end of a hole is worth some garbage. */
  private static final int MANY_CLUSTERS = 16;

  private final ClusterGeometry geometry;
  private final boolean isExternal;

  /**
   * Finds runs in an image.
   *
   * @param isExternal whether its data lies in an external data file
   */
  SubclusterRuns(ClusterGeometry geometry, boolean isExternal) {
    this.geometry = geometry;
    this.isExternal = isExternal;
  }

  /**
   * Returns how many bytes from an offset on are in the same state.
   *
   * @param inOnePlace whether they have to be consecutive in the host file, too
   */
  long length(Slice slice, long guestOffset, long maxLength, boolean inOnePlace) {
    int word = geometry.wordInSlice(guestOffset);
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
    int word = geometry.wordInSlice(guestOffset);
    long entry = slice.entry(word);
    long map = slice.entry(word + 1);
    int state = SubclusterMap.state(map, SubclusterMap.COUNT - 1);
    long step = L2Entry.namesHostCluster(entry, isExternal) ? geometry.clusterSize() : 0;
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
}
