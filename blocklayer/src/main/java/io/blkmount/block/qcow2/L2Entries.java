// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.error.CorruptImageException;
import org.jspecify.annotations.Nullable;

/**
 * Reads and changes the entries of a slice of an L2 table. An image has standard or extended ones;
 * which, is decided when it is opened.
 *
 * <p>Entries are read without a lock and changed under the metadata lock.
 */
abstract class L2Entries {
  private final ClusterGeometry geometry;
  private final GuestData data;

  L2Entries(ClusterGeometry geometry, GuestData data) {
    this.geometry = geometry;
    this.data = data;
  }

  /**
   * Returns what reads and changes an image's entries.
   *
   * @param zeroFlagKnown whether bit 0 of standard entries has a meaning: version 3
   */
  static L2Entries of(ClusterGeometry geometry, GuestData data, boolean zeroFlagKnown) {
    return geometry.hasSubclusters()
        ? new ExtendedEntries(geometry, data)
        : new StandardEntries(geometry, data, zeroFlagKnown);
  }

  /**
   * Returns the run that starts at {@code guestOffset}; stands for QEMU's {@code
   * qcow2_get_host_offset()}.
   *
   * @param slice that maps it; pinned
   * @param guestOffset in bytes; any alignment
   * @param maxLength in bytes, at least 1; the run may be shorter, never longer
   * @throws CorruptImageException if the entry says what cannot be
   */
  abstract ClusterRun find(Slice slice, long guestOffset, long maxLength)
      throws CorruptImageException;

  /**
   * Returns what {@link #find} returns where {@code before} was found a moment ago: the same object
   * if nothing has changed, as for most writes.
   *
   * @param slice that maps it; pinned
   * @param maxLength in bytes, at least 1
   */
  ClusterRun refind(Slice slice, ClusterRun before, long maxLength) throws CorruptImageException {
    return find(slice, before.guestOffset(), maxLength);
  }

  /**
   * Does {@link #find} in a slice without a pin.
   *
   * @return null if it was thrown out meanwhile
   */
  abstract @Nullable ClusterRun findCurrent(Slice slice, long guestOffset, long maxLength)
      throws CorruptImageException;

  /**
   * Returns how much of a range is not in this image from its start on; 0 if the first byte is.
   * Makes no garbage, and means nothing if the slice has no pin and is thrown out meanwhile.
   */
  abstract long unallocatedLength(Slice slice, long guestOffset, long maxLength);

  /**
   * Returns how much can be written in one stretch over the host clusters of a run, whatever they
   * hold: at least the run, and what is more ends with a subcluster or in a stored one.
   *
   * @param run whose host clusters belong to this image state alone
   * @param maxLength in bytes from the start of the run on
   */
  abstract long placeLength(Slice slice, ClusterRun run, long maxLength);

  /**
   * Points an entry at a host cluster in which guest bytes have been written.
   *
   * @param start guest offset of the first of them
   * @param end one past the last, in the same cluster
   * @param hostOffset of the cluster
   * @return the entry that was there
   */
  abstract long link(Slice slice, long start, long end, long hostOffset);

  /**
   * Points an entry at a compressed cluster.
   *
   * @param guestOffset in the cluster
   * @return the entry that was there
   */
  abstract long linkCompressed(Slice slice, long guestOffset, long entry);

  /**
   * Gives a cluster that is stored nowhere a host cluster in reserve; it reads as before.
   *
   * @param guestOffset of a cluster that reads as zeros or, with extended entries, as anything that
   *     is not compressed
   * @return the entry that was there
   */
  abstract long reserve(Slice slice, long guestOffset, long hostOffset);

  /**
   * Returns the standard entry that says of a cluster as a whole what its entry says: NORMAL if any
   * of it may be stored, zeros only if all of it is.
   *
   * @throws CorruptImageException if the entry contradicts itself
   */
  abstract long wholeCluster(Slice slice, int index) throws CorruptImageException;

  /** Sets what {@link #wholeCluster} returns, not compressed. */
  abstract void setWholeCluster(Slice slice, int index, long standardEntry);

  /**
   * Makes whole subclusters of one cluster read as zeros; their host cluster stays.
   *
   * @param start guest offset of the first
   * @param end one past the last
   * @param alsoUnallocated whether those have to change that are in no way in this image
   * @return whether anything changed
   * @throws CorruptImageException if the entry contradicts itself
   */
  abstract boolean zeroPart(Slice slice, long start, long end, boolean alsoUnallocated)
      throws CorruptImageException;

  /**
   * Returns which subclusters of the cluster of {@code start} are stored, but lie outside a range:
   * a bit for each. A copy of the host cluster needs them, too.
   *
   * @param end one past the last byte of the range, perhaps in a later cluster
   */
  abstract int storedOutside(Slice slice, long clusterStart, long start, long end);

  /**
   * Checks where an entry points to.
   *
   * @param guestOffset in the cluster that the entry maps
   * @throws CorruptImageException if no cluster can be there
   */
  final void requireSound(long entry, L2Entry.Kind kind, long guestOffset)
      throws CorruptImageException {
    if (kind == L2Entry.Kind.UNALLOCATED || kind == L2Entry.Kind.ZERO_PLAIN) {
      return;
    }
    if (data.isExternal()) {
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
}
