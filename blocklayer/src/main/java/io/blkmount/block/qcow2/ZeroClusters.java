// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.bytes.Zeroes;
import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import java.io.IOException;

/**
 * Zeroes and discards whole clusters and subclusters. Stands for QEMU's {@code zero_in_l2_slice()}
 * and kin.
 */
final class ZeroClusters {
  private final Metadata metadata;
  private final ClusterGeometry geometry;
  private final ClusterLookup lookup;
  private final ClusterContent content;
  private final EntryChanges changes;
  private final EntryChanges cuts;
  private final ClusterWriter writer;

  /**
   * Creates what zeroes and discards.
   *
   * @param changes what requests ask for
   * @param cuts what becomes of the end of a disk
   */
  ZeroClusters(
      Metadata metadata,
      ClusterLookup lookup,
      ClusterContent content,
      EntryChanges changes,
      EntryChanges cuts,
      ClusterWriter writer) {
    this.metadata = metadata;
    this.geometry = metadata.geometry();
    this.lookup = lookup;
    this.content = content;
    this.changes = changes;
    this.cuts = cuts;
    this.writer = writer;
  }

  /**
   * Makes subclusters read as zeros; where there are none, clusters.
   *
   * @throws IOException with {@code NOT_SUPPORTED} on version 2, which has no zero clusters, when
   *     there is something that does not read as zeros, and with {@code NO_FALLBACK} when an end
   *     lies in a compressed cluster; nothing has changed then
   */
  void zero(long guestOffset, long guestEnd, WriteFlags flags) throws IOException {
    boolean mayUnmap = flags.has(WriteFlags.MAY_UNMAP);
    if (metadata.data().isRaw()) {
      zeroData(guestOffset, guestEnd, flags);
    } else if (metadata.isVersion3()) {
      zeroSubclusters(guestOffset, guestEnd, flags);
    } else if (mayUnmap && !content.hasBacking()) {
      changes.apply(guestOffset, guestEnd, false, (entry, kind, at) -> L2Entry.UNALLOCATED_ENTRY);
    } else {
      requireNothingStored(guestOffset, guestEnd);
    }
  }

  private void zeroSubclusters(long guestOffset, long guestEnd, WriteFlags flags)
      throws IOException {
    boolean backed = content.backingLength() > guestOffset;
    boolean mayUnmap = flags.has(WriteFlags.MAY_UNMAP);
    long first = firstWhole(guestOffset, guestEnd);
    long last = lastWhole(guestOffset, guestEnd);
    if (flags.has(WriteFlags.NO_FALLBACK)) {
      requireEntryOnly(guestOffset, first);
      requireEntryOnly(last, guestEnd);
    }
    zeroPart(guestOffset, first, backed);
    boolean drops = mayUnmap && !metadata.keepsDiscarded();
    KeptClusters kept = new KeptClusters(mayUnmap && !drops, metadata, changes);
    changes.apply(
        first,
        last,
        backed,
        (entry, kind, at) -> kept.note(entry, zeroed(entry, kind, drops, backed)));
    kept.discard();
    zeroPart(last, guestEnd, backed);
  }

  /** Returns where the whole clusters of a range begin; its end if it has none. */
  private long firstWhole(long guestOffset, long guestEnd) {
    return Math.min(guestEnd, geometry.clusterEnd(guestOffset));
  }

  private long lastWhole(long guestOffset, long guestEnd) {
    return Math.max(firstWhole(guestOffset, guestEnd), geometry.clusterStart(guestEnd));
  }

  private void requireEntryOnly(long start, long end) throws IOException {
    if (start < end && isCompressed(start)) {
      throw new BlockException(
          BlockError.NOT_SUPPORTED, "part of a compressed cluster: zeros are to be written");
    }
  }

  private boolean isCompressed(long guestOffset) throws IOException {
    return lookup.find(guestOffset, 1).kind() == L2Entry.Kind.COMPRESSED;
  }

  /** Zeroes the subclusters at one end of a range. */
  private void zeroPart(long start, long end, boolean backed) throws IOException {
    if (start < end) {
      if (isCompressed(start)) {
        writeZeros(start, end);
      } else {
        changes.zeroPart(start, end, backed);
      }
    }
  }

  private void writeZeros(long start, long end) throws IOException {
    for (long at = start; at < end; at += Zeroes.MAX_BUFFER) {
      writer.write(at, Zeroes.buffer((int) Math.min(end - at, Zeroes.MAX_BUFFER)));
    }
  }

  /** Who reads a raw data file as it stands sees no entries: the zeros have to be in it. */
  private void zeroData(long guestOffset, long guestEnd, WriteFlags flags) throws IOException {
    long end = Math.min(guestEnd, metadata.length());
    if (guestOffset < end) {
      WriteFlags passed =
          metadata.discards().request() ? flags : flags.without(WriteFlags.MAY_UNMAP);
      metadata.data().file().writeZeroes(guestOffset, end - guestOffset, passed);
    }
  }

  /** What is not passed on is left as it is: the guest and the file's reader see the same. */
  private void discardData(long guestOffset, long guestEnd) throws IOException {
    if (metadata.discards().request()) {
      zeroData(guestOffset, guestEnd, WriteFlags.MAY_UNMAP.with(WriteFlags.NO_FALLBACK));
    }
  }

  private static long zeroed(long entry, L2Entry.Kind kind, boolean mayUnmap, boolean backed) {
    return switch (kind) {
      case UNALLOCATED -> backed ? L2Entry.ZERO_ENTRY : entry;
      case ZERO_PLAIN -> entry;
      case ZERO_ALLOCATED -> mayUnmap ? L2Entry.ZERO_ENTRY : entry;
      case NORMAL ->
          mayUnmap || !L2Entry.isCopied(entry)
              ? L2Entry.ZERO_ENTRY
              : L2Entry.zeroAllocated(L2Entry.hostOffset(entry));
      case COMPRESSED -> L2Entry.ZERO_ENTRY;
    };
  }

  private void requireNothingStored(long guestOffset, long guestEnd) throws IOException {
    for (long at = guestOffset; at < guestEnd; ) {
      ClusterRun run = lookup.find(at, guestEnd - at);
      if (!content.readsZero(run, at)) {
        throw new BlockException(
            BlockError.NOT_SUPPORTED, "version 2 has no zero clusters: zeros are to be written");
      }
      at += run.length();
    }
  }

  /**
   * Drops the host clusters of a range; afterwards it reads as zeros, but for parts of compressed
   * clusters at its ends.
   *
   * @throws IOException with {@code NOT_SUPPORTED} on version 2 with a backing file, whose old
   *     bytes would come to light, and on a raw data file in which the host cannot make holes
   */
  void discard(long guestOffset, long guestEnd) throws IOException {
    if (metadata.data().isRaw()) {
      discardData(guestOffset, guestEnd);
      return;
    }
    if (!metadata.isVersion3() && content.hasBacking()) {
      throw new BlockException(
          BlockError.NOT_SUPPORTED, "discard on version 2 would expose the backing file");
    }
    KeptClusters kept = new KeptClusters(metadata.keepsDiscarded(), metadata, changes);
    long first = firstWhole(guestOffset, guestEnd);
    long last = lastWhole(guestOffset, guestEnd);
    discardPart(guestOffset, first);
    changes.apply(
        first, last, false, (entry, kind, at) -> kept.note(entry, discarded(entry, kind)));
    kept.discard();
    discardPart(last, guestEnd);
  }

  private long discarded(long entry, L2Entry.Kind kind) {
    if (!metadata.isVersion3()) {
      return kind == L2Entry.Kind.UNALLOCATED ? entry : L2Entry.UNALLOCATED_ENTRY;
    }
    return zeroed(entry, kind, !metadata.keepsDiscarded(), false);
  }

  /** The host cluster stays, because the rest of it is in use. */
  private void discardPart(long start, long end) throws IOException {
    if (start < end && !isCompressed(start)) {
      changes.zeroPart(start, end, false);
    }
  }

  /** Forgets clusters past a disk's new end altogether. */
  void forget(long guestOffset, long guestEnd) throws IOException {
    cuts.apply(guestOffset, guestEnd, false, (entry, kind, at) -> L2Entry.UNALLOCATED_ENTRY);
  }
}
