// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.bitmap.DirtyBitmap;
import io.blkmount.block.bitmap.HierarchicalBitmap;
import io.blkmount.block.bytes.BouncePool;
import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.error.CorruptImageException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;

/**
 * Reads and writes what the bitmap directory points to: the table of each bitmap, and the clusters
 * with its bits, the lowest bit of the first byte first. They are never changed in place.
 *
 * <pre>
 * table entry | 56..63 0 | 9..55 host offset | 1..8 0 | 0: all ones, if there is no offset |
 * </pre>
 */
final class BitmapTables {
  private static final long RESERVED = 0xff00_0000_0000_01feL;
  private static final long ALL_ONES = 1;

  /** How much of a table is read at once. */
  private static final int PIECE = 1 << 16;

  private final Metadata metadata;
  private final ClusterGeometry geometry;
  private final FileHoles holes;

  BitmapTables(Metadata metadata) {
    this.metadata = metadata;
    this.geometry = metadata.geometry();
    this.holes = new FileHoles(metadata.file());
  }

  /** Returns how many bits one cluster holds. */
  private long bitsPerCluster() {
    return (long) geometry.clusterSize() * Byte.SIZE;
  }

  /**
   * Returns how many entries the table of a bitmap has.
   *
   * @param length of the disk in bytes
   * @param granularityBits of the bitmap
   */
  long entryCount(long length, int granularityBits) {
    return entryCount(length, granularityBits, geometry.clusterSize());
  }

  /** As {@link #entryCount(long, int)}, for clusters of {@code clusterSize} bytes. */
  static long entryCount(long length, int granularityBits, int clusterSize) {
    long granules = length == 0 ? 1 : ((length - 1) >> granularityBits) + 1;
    return (granules - 1) / ((long) clusterSize * Byte.SIZE) + 1;
  }

  /** Takes one table entry that is not 0. */
  private interface EntryVisitor {
    void visit(long index, long entry) throws IOException;
  }

  /**
   * Adds all stored bits of a bitmap. What holds them is guarded from then on.
   *
   * @throws CorruptImageException if the table does not fit the disk, an entry breaks a rule, or a
   *     cluster belongs to another structure, too
   */
  void load(BitmapRecord record, DirtyBitmap bitmap) throws IOException {
    long expected = entryCount(bitmap.length(), record.granularityBits());
    if (record.tableEntryCount() != expected) {
      throw damaged(
          record,
          "its table has "
              + record.tableEntryCount()
              + " entries, a disk of "
              + bitmap.length()
              + " bytes needs "
              + expected);
    }
    guard(record.tableOffset(), record.tableByteCount(), OverlapGuard.Area.BITMAP_TABLE);
    forEachEntry(record, (index, entry) -> load(index * bitsPerCluster(), entry, bitmap));
  }

  private void load(long firstBit, long entry, DirtyBitmap bitmap) throws IOException {
    if (entry == ALL_ONES) {
      bitmap.granules().set(firstBit, firstBit + bitsPerCluster());
      return;
    }
    guard(entry, geometry.clusterSize(), OverlapGuard.Area.BITMAP_DATA);
    long end = entry + geometry.clusterSize();
    if (holes.passes(entry, Math.min(end, metadata.file().length()))) {
      return;
    }
    try (BouncePool.Bounce bounce = BouncePool.take(geometry.clusterSize())) {
      ByteBuffer bits = bounce.buffer().order(ByteOrder.LITTLE_ENDIAN);
      metadata.file().read(entry, bits);
      holes.note(bits.flip());
      for (int at = 0; at < bits.limit(); at += Long.BYTES) {
        long word = bits.getLong(at);
        if (word != 0) {
          bitmap.granules().addWord((firstBit >> 6) + at / Long.BYTES, word);
        }
      }
    }
  }

  private void guard(long hostOffset, long length, OverlapGuard.Area area)
      throws CorruptImageException {
    metadata.guard().requireFree("part of a bitmap", hostOffset, length);
    metadata.guard().add(hostOffset, length, area);
  }

  private void forEachEntry(BitmapRecord record, EntryVisitor visitor) throws IOException {
    long fileLength = metadata.file().length();
    requireInFile(record, record.tableOffset(), record.tableByteCount(), fileLength);
    try (BouncePool.Bounce bounce = BouncePool.take(PIECE)) {
      ByteBuffer piece = bounce.buffer();
      for (long done = 0; done < record.tableByteCount(); done += piece.limit()) {
        piece.clear().limit((int) Math.min(PIECE, record.tableByteCount() - done));
        metadata.file().read(record.tableOffset() + done, piece);
        for (int at = 0; at < piece.limit(); at += Long.BYTES) {
          visit(record, (done + at) / Long.BYTES, piece.getLong(at), fileLength, visitor);
        }
      }
    }
  }

  private void visit(
      BitmapRecord record, long index, long entry, long fileLength, EntryVisitor visitor)
      throws IOException {
    if (entry == 0) {
      return;
    }
    boolean isOffset = (entry & L1Entry.OFFSET_MASK) != 0;
    if ((entry & RESERVED) != 0
        || (isOffset && (entry & ALL_ONES) != 0)
        || !geometry.isClusterAligned(entry & ~ALL_ONES)) {
      throw damaged(record, "its table entry " + index + " is " + HeaderRules.hex(entry));
    }
    if (isOffset) {
      requireInFile(record, entry, geometry.clusterSize(), fileLength);
    }
    visitor.visit(index, entry);
  }

  /** The last cluster of a file is often not all there. */
  private void requireInFile(BitmapRecord record, long hostOffset, long length, long fileLength)
      throws CorruptImageException {
    if (hostOffset + length > geometry.clusterEnd(fileLength)) {
      throw damaged(
          record,
          length
              + " bytes at host offset "
              + HeaderRules.hex(hostOffset)
              + " are not all in the file, whose length is "
              + fileLength);
    }
  }

  private CorruptImageException damaged(BitmapRecord record, String problem) {
    return new CorruptImageException(
        HeaderRules.forFields(metadata.file().name())
            .message("bitmap " + record.printable() + ": " + problem));
  }

  /**
   * Returns the clusters of a stored bitmap, table included.
   *
   * @throws CorruptImageException if an entry breaks a rule
   */
  List<HostRun> clusters(BitmapRecord record) throws IOException {
    List<HostRun> runs = new ArrayList<>();
    int tableClusters = (int) geometry.clustersTouched(0, record.tableByteCount());
    forEachEntry(
        record,
        (index, entry) -> {
          if (entry != ALL_ONES) {
            runs.add(new HostRun(entry, 1));
          }
        });
    runs.add(new HostRun(record.tableOffset(), tableClusters));
    return runs;
  }

  /**
   * Writes a bitmap to new places; nothing points there yet, and nothing is durable.
   *
   * @param record of the bitmap, with any table
   * @param clusters takes what it needs
   * @return the record with the new table
   */
  BitmapRecord store(BitmapRecord record, DirtyBitmap bitmap, NewClusters clusters)
      throws IOException {
    int entries = Math.toIntExact(entryCount(bitmap.length(), bitmap.granularityBits()));
    int tableClusters = (int) geometry.clustersTouched(0, (long) entries * Long.BYTES);
    ByteBuffer table = BouncePool.allocate(tableClusters << geometry.clusterBits());
    HierarchicalBitmap bits = bitmap.granules();
    for (long next = bits.nextSet(0); next >= 0; ) {
      int index = (int) (next / bitsPerCluster());
      table.putLong(index * Long.BYTES, storeCluster(bits, index * bitsPerCluster(), clusters));
      next = bits.nextSet((index + 1) * bitsPerCluster());
    }
    long tableOffset = clusters.take(tableClusters, OverlapGuard.Area.BITMAP_TABLE);
    metadata.file().write(tableOffset, table, WriteFlags.NONE);
    return record.withTable(tableOffset, entries);
  }

  /**
   * A last cluster that is not all used is stored as it is: of all ones QEMU makes whole words, and
   * shows what is behind the end when the disk grows.
   */
  private long storeCluster(HierarchicalBitmap bits, long firstBit, NewClusters clusters)
      throws IOException {
    long end = firstBit + bitsPerCluster();
    if (end <= bits.size() && bits.isSet(firstBit, end)) {
      return ALL_ONES;
    }
    long hostOffset = clusters.take(1, OverlapGuard.Area.BITMAP_DATA);
    try (BouncePool.Bounce bounce = BouncePool.take(geometry.clusterSize())) {
      ByteBuffer bytes = bounce.buffer().order(ByteOrder.LITTLE_ENDIAN);
      for (int at = 0; at < bytes.limit(); at += Long.BYTES) {
        bytes.putLong(at, bits.word((firstBit >> 6) + at / Long.BYTES));
      }
      metadata.file().write(hostOffset, bytes, WriteFlags.NONE);
    }
    return hostOffset;
  }
}
