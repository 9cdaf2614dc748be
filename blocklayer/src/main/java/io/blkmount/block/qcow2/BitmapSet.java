// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.bitmap.DirtyBitmap;
import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.error.CorruptImageException;
import io.blkmount.block.qcow2.HeaderExtensions.BitmapsPointer;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Predicate;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * The bitmaps of an open image, in memory and on the disk; used under the lock of {@link
 * Qcow2Bitmaps}.
 *
 * <p>A bitmap is in use on the disk before it differs in memory. Everything else is written to new
 * places, made durable, and put in force by one change of the header.
 */
final class BitmapSet {
  private final Metadata metadata;
  private final ClusterAllocator allocator;
  private final FreedClusters freed;
  private final MetadataWriteback writeback;
  private final BitmapTables tables;
  private final List<PersistentBitmap> bitmaps = new ArrayList<>();
  private @Nullable BitmapsPointer directory;

  /**
   * Whether the disk may have another directory than memory knows, or none: a change of it has
   * failed half way.
   */
  private boolean directoryUncertain;

  BitmapSet(
      Metadata metadata,
      ClusterAllocator allocator,
      FreedClusters freed,
      MetadataWriteback writeback) {
    this.metadata = metadata;
    this.allocator = allocator;
    this.freed = freed;
    this.writeback = writeback;
    this.tables = new BitmapTables(metadata);
  }

  List<PersistentBitmap> all() {
    return bitmaps;
  }

  @Nullable PersistentBitmap find(String name) {
    for (PersistentBitmap each : bitmaps) {
      if (each.name().equals(name)) {
        return each;
      }
    }
    return null;
  }

  /**
   * Loads what the image has.
   *
   * @param writable whether writes will come
   * @throws IOException as {@link BitmapLoader#load}
   */
  void load(BitmapsPointer pointer, boolean writable) throws IOException {
    bitmaps.addAll(new BitmapLoader(metadata, tables).load(pointer, writable));
    directory = pointer;
  }

  /**
   * Says on the disk, durably, that some bitmaps are in use.
   *
   * @throws IOException if that failed; nothing may be changed then
   */
  void setInUse(Predicate<PersistentBitmap> which) throws IOException {
    List<PersistentBitmap> marked = new ArrayList<>();
    long at = directory == null ? 0 : directory.directoryOffset();
    for (PersistentBitmap each : bitmaps) {
      BitmapRecord record = each.stored();
      if (record != null) {
        if (each.content() != null && !record.isInUse() && which.test(each)) {
          directoryUncertain = true;
          metadata.guard().requireArea(at, OverlapGuard.Area.BITMAP_DIRECTORY);
          writeFlags(at, record.flags() | BitmapRecord.IN_USE);
          marked.add(each);
        }
        at += record.encodedLength();
      }
    }
    if (!marked.isEmpty()) {
      metadata.file().flush();
      marked.forEach(each -> each.stored(inUse(each.stored())));
    }
  }

  private static BitmapRecord inUse(@Nullable BitmapRecord record) {
    if (record == null) {
      throw new IllegalStateException("not stored");
    }
    return record.withFlags(record.flags() | BitmapRecord.IN_USE);
  }

  private void writeFlags(long recordAt, int flags) throws IOException {
    ByteBuffer bytes = ByteBuffer.allocate(Integer.BYTES).putInt(flags).flip();
    metadata.file().write(recordAt + BitmapRecord.FLAGS_AT, bytes, WriteFlags.NONE);
  }

  /** Returns whether the disk has something else than memory. */
  boolean isStale() {
    return directoryUncertain
        || bitmaps.stream()
            .anyMatch(each -> each.isStale() || !each.record().equals(each.stored()));
  }

  /**
   * Stores everything: nothing is in use afterwards that was not when the image was opened.
   *
   * @throws IOException if that failed; the disk is as it was before, but for leaked clusters
   */
  void store() throws IOException {
    NewClusters clusters = new NewClusters(metadata, allocator);
    List<BitmapRecord> records = new ArrayList<>();
    List<HostRun> obsolete = new ArrayList<>();
    replaceDirectory(
        clusters,
        obsolete,
        () -> {
          for (PersistentBitmap each : bitmaps) {
            records.add(store(each, clusters, obsolete));
          }
          return records;
        });
    for (int i = 0; i < bitmaps.size(); i++) {
      bitmaps.get(i).stored(records.get(i));
      DirtyBitmap content = bitmaps.get(i).content();
      if (content != null) {
        content.settle();
      }
    }
  }

  private BitmapRecord store(PersistentBitmap bitmap, NewClusters clusters, List<HostRun> obsolete)
      throws IOException {
    DirtyBitmap content = bitmap.content();
    BitmapRecord record = bitmap.record();
    if (content == null || !bitmap.isStale()) {
      return record;
    }
    BitmapRecord old = bitmap.stored();
    if (old != null) {
      obsolete.addAll(tables.clusters(old));
    }
    return tables.store(record, content, clusters);
  }

  /**
   * Takes a bitmap out of the directory, durably, and out of memory.
   *
   * @throws IOException if that failed; the bitmap is still there
   */
  void remove(PersistentBitmap bitmap) throws IOException {
    BitmapRecord record = bitmap.stored();
    if (record != null) {
      List<HostRun> obsolete = new ArrayList<>(clustersToFree(bitmap, record));
      replaceDirectory(new NewClusters(metadata, allocator), obsolete, () -> storedWithout(bitmap));
    }
    bitmaps.remove(bitmap);
  }

  /** Of an inconsistent bitmap what cannot be understood is left to a check. */
  private List<HostRun> clustersToFree(PersistentBitmap bitmap, BitmapRecord record)
      throws IOException {
    try {
      return tables.clusters(record);
    } catch (CorruptImageException e) {
      if (bitmap.content() != null) {
        throw e;
      }
      return List.of();
    }
  }

  private List<BitmapRecord> storedWithout(PersistentBitmap removed) {
    List<BitmapRecord> records = new ArrayList<>();
    for (PersistentBitmap each : bitmaps) {
      BitmapRecord record = each.stored();
      if (each != removed && record != null) {
        records.add(record);
      }
    }
    return records;
  }

  /** Writes what a new directory points to, and returns its records. */
  private interface Preparation {
    List<BitmapRecord> prepare() throws IOException;
  }

  private void replaceDirectory(
      NewClusters clusters, List<HostRun> obsolete, Preparation preparation) throws IOException {
    BitmapsPointer next = putInForce(clusters, preparation);
    clusters.guard();
    BitmapsPointer old = directory;
    directory = next;
    if (old != null) {
      drop(old.directoryOffset(), old.directoryLength(), OverlapGuard.Area.BITMAP_DIRECTORY);
    }
    int bits = metadata.geometry().clusterBits();
    for (HostRun run : obsolete) {
      drop(run.hostOffset(), (long) run.clusterCount() << bits, OverlapGuard.Area.BITMAP_DATA);
    }
  }

  /** Fails with everything given back unless the header may point there. */
  private @Nullable BitmapsPointer putInForce(NewClusters clusters, Preparation preparation)
      throws IOException {
    try {
      BitmapsPointer next = writeDirectory(preparation.prepare(), clusters);
      writeback.flush(); // refcounts and bytes: the header may point there at any time from now on
      directoryUncertain = true; // on the way there is none
      writeback.exclusively(() -> putInForce(next));
      directoryUncertain = false;
      return next;
    } catch (HeaderFields.UndecidedException e) {
      throw e;
    } catch (IOException | RuntimeException | Error e) {
      clusters.giveBack(e);
      throw e;
    }
  }

  private @Nullable BitmapsPointer writeDirectory(List<BitmapRecord> records, NewClusters clusters)
      throws IOException {
    if (records.isEmpty()) {
      return null;
    }
    ByteBuffer bytes = BitmapDirectory.encode(records, metadata.geometry().clusterSize());
    int count = (int) metadata.geometry().clustersTouched(0, bytes.limit());
    long offset = clusters.take(count, OverlapGuard.Area.BITMAP_DIRECTORY);
    metadata.file().write(offset, bytes, WriteFlags.NONE);
    return new BitmapsPointer(records.size(), BitmapDirectory.byteCount(records), offset);
  }

  private void putInForce(@Nullable BitmapsPointer next) throws IOException {
    BitmapsExtension extension = new BitmapsExtension(metadata);
    if (next != null) {
      extension.point(next);
    } else if (directory != null) {
      extension.remove();
    }
  }

  private void drop(long hostOffset, long length, OverlapGuard.Area area) {
    metadata.guard().remove(hostOffset, length, area);
    metadata.lock().lock();
    try {
      freed.add(hostOffset, length);
    } finally {
      metadata.lock().unlock();
    }
  }

  /** Returns whether a bitmap of that granularity fits a disk of that length. */
  boolean canHold(long length, int granularityBits) {
    long entries = tables.entryCount(length, granularityBits);
    return entries <= BitmapRecord.MAX_DATA_BYTES >> metadata.geometry().clusterBits();
  }

  /** Returns whether the tables of all bitmaps, on a disk of that length, can be read again. */
  boolean canHoldAll(long length, PersistentBitmap... more) {
    return Stream.concat(bitmaps.stream(), Stream.of(more))
            .mapToLong(each -> tableBytes(each, length))
            .sum()
        <= BitmapRecord.MAX_TABLE_BYTES;
  }

  private long tableBytes(PersistentBitmap bitmap, long length) {
    DirtyBitmap content = bitmap.content();
    return content == null
        ? bitmap.record().tableByteCount()
        : tables.entryCount(length, content.granularityBits()) * Long.BYTES;
  }

  /** Returns whether a directory can have one more record. */
  boolean hasRoomFor(BitmapRecord record) {
    List<BitmapRecord> records = new ArrayList<>();
    bitmaps.forEach(each -> records.add(each.record()));
    records.add(record);
    return records.size() <= ExtensionReader.MAX_BITMAPS
        && BitmapDirectory.byteCount(records) <= ExtensionReader.MAX_BITMAP_DIRECTORY;
  }
}
