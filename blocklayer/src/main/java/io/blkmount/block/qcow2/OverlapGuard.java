// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.error.CorruptImageException;
import java.util.EnumSet;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Knows which host clusters hold metadata, and refuses to write anything else over them. Stands for
 * QEMU's {@code qcow2_pre_write_overlap_check()}.
 */
final class OverlapGuard {
  /** What a cluster holds. */
  enum Area {
    HEADER("the header"),
    CRYPTO_HEADER("the LUKS header"),
    L1_TABLE("the L1 table"),
    L2_TABLE("an L2 table"),
    REFCOUNT_TABLE("the refcount table"),
    REFCOUNT_BLOCK("a refcount block"),
    SNAPSHOT_TABLE("the snapshot table"),
    SNAPSHOT_L1_TABLE("the L1 table of a snapshot"),
    SNAPSHOT_L2_TABLE("an L2 table of a snapshot"),
    BITMAP_DIRECTORY("the bitmap directory"),
    BITMAP_TABLE("the table of a bitmap"),
    BITMAP_DATA("the data of a bitmap"),
    /** Claimed by two structures: nothing is written there. */
    CONTESTED("two metadata structures at once");

    private static final Area[] ALL = values();

    private final String text;

    Area(String text) {
      this.text = text;
    }
  }

  private final int clusterBits;
  private final Set<Area> guarded;
  private final ClusterMarks marks = new ClusterMarks();

  /** No marks, since snapshots and their tables can be very many. */
  private volatile HostRanges snapshotL1Tables = HostRanges.NONE;

  /** Shared ones are the active disk's as well, and have its mark. */
  private volatile HostRanges snapshotL2Tables = HostRanges.NONE;

  /**
   * Creates a guard that knows nothing yet.
   *
   * @param guarded what is looked at; of everything else it takes no note
   */
  OverlapGuard(ClusterGeometry geometry, Set<Area> guarded) {
    this.clusterBits = geometry.clusterBits();
    this.guarded = EnumSet.noneOf(Area.class);
    this.guarded.addAll(guarded);
  }

  /** Returns whether an area is looked at. */
  boolean guards(Area area) {
    return guarded.contains(area);
  }

  /** Notes that {@code length} bytes from {@code hostOffset} on hold metadata. */
  void add(long hostOffset, long length, Area area) {
    if (length > 0 && guards(area)) {
      long last = (hostOffset + length - 1) >>> clusterBits;
      for (long cluster = hostOffset >>> clusterBits; cluster <= last; cluster++) {
        marks.put(cluster, area.ordinal(), Area.CONTESTED.ordinal());
      }
    }
  }

  /** Forgets an area that has moved. */
  void remove(long hostOffset, long length, Area area) {
    if (length > 0 && guards(area)) {
      long last = (hostOffset + length - 1) >>> clusterBits;
      for (long cluster = hostOffset >>> clusterBits; cluster <= last; cluster++) {
        marks.remove(cluster);
      }
    }
  }

  /**
   * Notes where the tables of all snapshots are; {@link SnapshotGuard} knows.
   *
   * @param tables those that the disk itself has, too, among them
   */
  void snapshotTables(SnapshotGuard.Tables tables) {
    snapshotL1Tables = guards(Area.SNAPSHOT_L1_TABLE) ? tables.l1Tables() : HostRanges.NONE;
    snapshotL2Tables = tables.l2Tables();
  }

  /** Fails if guest data or a new table would go where metadata is; takes no lock. */
  void requireFree(String what, long hostOffset, long length) throws CorruptImageException {
    requireNotOurs(what, hostOffset, length);
    requireNotSnapshots(what, hostOffset, length);
  }

  /** Fails if L2 tables of snapshots would be overwritten. */
  void requireNotSnapshots(String what, long hostOffset, long length) throws CorruptImageException {
    if (snapshotL2Tables.overlaps(hostOffset, length)) {
      throw overwrites(what, hostOffset, length, Area.SNAPSHOT_L2_TABLE);
    }
  }

  /** Does the same, but what snapshots refer to may be let go of. */
  void requireNotOurs(String what, long hostOffset, long length) throws CorruptImageException {
    long last = (hostOffset + length - 1) >>> clusterBits;
    for (long cluster = hostOffset >>> clusterBits; cluster <= last; cluster++) {
      Area area = area(cluster);
      if (area != null) {
        throw overwrites(what, hostOffset, length, area);
      }
    }
    if (snapshotL1Tables.overlaps(hostOffset, length)) {
      throw overwrites(what, hostOffset, length, Area.SNAPSHOT_L1_TABLE);
    }
  }

  private static CorruptImageException overwrites(
      String what, long hostOffset, long length, Area area) {
    return new CorruptImageException(
        what, hostOffset, "length " + length + " would overwrite " + area.text);
  }

  /** Fails if the L2 table at {@code hostOffset}, which is about to be changed, is a snapshot's. */
  void requireNoSnapshots(long hostOffset) throws CorruptImageException {
    if (snapshotL2Tables.overlaps(hostOffset, 1)) {
      throw new CorruptImageException(
          "write of " + Area.L2_TABLE.text,
          hostOffset,
          "the cluster holds " + Area.SNAPSHOT_L2_TABLE.text);
    }
  }

  /** Fails if the cluster at {@code hostOffset} is not what is about to be written to it. */
  void requireArea(long hostOffset, Area area) throws CorruptImageException {
    boolean isSnapshots = snapshotL1Tables.overlaps(hostOffset, 1);
    Area found = isSnapshots ? Area.SNAPSHOT_L1_TABLE : area(hostOffset >>> clusterBits);
    if (found != area && (found != null || guards(area))) {
      throw new CorruptImageException(
          "write of " + area.text,
          hostOffset,
          "the cluster holds " + (found == null ? "guest data" : found.text));
    }
  }

  private @Nullable Area area(long cluster) {
    int mark = marks.get(cluster);
    return mark == ClusterMarks.NONE ? null : Area.ALL[mark];
  }
}
