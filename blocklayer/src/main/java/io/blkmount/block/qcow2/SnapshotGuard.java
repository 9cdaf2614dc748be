// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.bytes.ByteRange;
import io.blkmount.block.driver.BlockIo;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.List;
import java.util.stream.LongStream;

/** Finds out, for the guard, where the tables of internal snapshots are. */
final class SnapshotGuard {
  /** How much of an L1 table is read at once. */
  private static final int PIECE = 1 << 16;

  private final BlockIo file;
  private final ClusterGeometry geometry;
  private final long fileEnd;

  private SnapshotGuard(Metadata metadata) throws IOException {
    this.file = metadata.file();
    this.geometry = metadata.geometry();
    this.fileEnd = geometry.clusterEnd(file.length());
  }

  /**
   * Where the tables of all snapshots are.
   *
   * @param l1Tables of whole clusters
   * @param l2Tables none unless they are guarded
   */
  record Tables(HostRanges l1Tables, HostRanges l2Tables) {}

  /**
   * Finds the tables of all snapshots.
   *
   * @param l1Tables of the snapshots, in bytes of the file
   * @return for {@link OverlapGuard#snapshotTables}, to be called again when these change
   * @throws IOException if one cannot be read; nothing is read unless their L2 tables are guarded
   */
  static Tables find(Metadata metadata, List<ByteRange> l1Tables) throws IOException {
    int clusterSize = metadata.geometry().clusterSize();
    HostRanges l1Clusters =
        HostRanges.of(l1Tables.stream().map(table -> table.alignedOut(clusterSize)).toList());
    boolean looks = metadata.guard().guards(OverlapGuard.Area.SNAPSHOT_L2_TABLE);
    return new Tables(
        l1Clusters, looks ? new SnapshotGuard(metadata).l2Tables(l1Tables) : HostRanges.NONE);
  }

  /** Snapshots share most of their tables, and a made-up image could have all share one. */
  private HostRanges l2Tables(List<ByteRange> l1Tables) throws IOException {
    OverlappingRanges pieces = new OverlappingRanges();
    l1Tables.forEach(table -> pieces.add(table.offset(), table.length()));
    LongStream.Builder found = LongStream.builder();
    pieces.forEachPiece(Long.BYTES, (start, end, weight) -> collect(start, end, found));
    long[] offsets = found.build().sorted().distinct().toArray();
    return HostRanges.of(
        Arrays.stream(offsets)
            .mapToObj(offset -> new ByteRange(offset, geometry.clusterSize()))
            .toList());
  }

  private void collect(long start, long end, LongStream.Builder found) throws IOException {
    ByteBuffer piece = ByteBuffer.allocate(PIECE);
    for (long at = start; at < end; at += PIECE) {
      file.read(at, piece.clear().limit((int) Math.min(PIECE, end - at)));
      for (int i = 0; i < piece.limit(); i += Long.BYTES) {
        long offset = geometry.clusterStart(L1Entry.l2Offset(piece.getLong(i)));
        if (offset != 0 && offset < fileEnd) {
          found.add(offset);
        }
      }
    }
  }
}
