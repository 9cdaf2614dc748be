// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.driver.ChildOpener;
import io.blkmount.block.error.CorruptImageException;
import java.io.IOException;
import java.util.concurrent.locks.ReentrantLock;

/**
 * What an open image has in memory of its metadata, and the one lock that guards its changes.
 *
 * <p>Fields that change are volatile: they are read without the lock and set under it.
 */
final class Metadata {
  private final ChildOpener.Child file;
  private final GuestData data;
  private volatile Qcow2Header header;
  private final ClusterGeometry geometry;
  private final L2Entries l2Entries;
  private final RefcountWidth refcountWidth;
  private final MetadataCache l2Cache;
  private final MetadataCache refcountCache;
  private final CompressedFile compressedFile;
  private final DecompressedClusters decompressed;
  private final CompressedTail compressedTail;
  private final OverlapGuard guard;
  private final boolean keepsDiscarded;
  private final DiscardPassing discards;
  private final RequestEpochs epochs = new RequestEpochs();
  private final ReentrantLock lock = new ReentrantLock();
  private volatile RootTable l1;
  private volatile RootTable refcountTable;
  private volatile long length;

  Metadata(
      ChildOpener.Child file,
      GuestData data,
      Qcow2Header header,
      RootTable l1,
      RootTable refcountTable,
      Qcow2Options options) {
    this.file = file;
    this.data = data;
    this.header = header;
    this.geometry = ClusterGeometry.of(header, options.caches().l2SliceSize());
    this.l2Entries = L2Entries.of(geometry, data, header.version() >= 3);
    this.refcountWidth = new RefcountWidth(header.refcountOrder());
    this.l2Cache =
        new MetadataCache(
            "L2 table",
            new MetadataCache.Tables(file, geometry.clusterSize(), geometry.sliceSize()),
            options.l2CacheBytes(geometry, header),
            SliceBudget.SHARED);
    this.refcountCache =
        new MetadataCache(
            "refcount block",
            new MetadataCache.Tables(file, geometry.clusterSize(), geometry.refcountSliceSize()),
            options.refcountCacheBytes(geometry, header),
            SliceBudget.SHARED);
    this.compressedFile = new CompressedFile(file, header);
    this.decompressed = new DecompressedClusters(compressedFile);
    this.compressedTail = new CompressedTail(geometry);
    this.guard = new OverlapGuard(geometry, options.guarded());
    this.keepsDiscarded = options.discardNoUnref();
    this.discards = options.discards();
    this.l1 = l1;
    this.refcountTable = refcountTable;
    this.length = header.length();
  }

  /** Returns the image file, which holds the metadata. */
  ChildOpener.Child file() {
    return file;
  }

  /** Returns where guest data is stored. */
  GuestData data() {
    return data;
  }

  /** Returns the kind of a standard L2 entry of this image. */
  L2Entry.Kind kind(long entry) {
    return data.isExternal() ? L2Entry.externalKind(entry) : L2Entry.kind(entry, isVersion3());
  }

  /**
   * Fails if something that the image says it has lies where the file has nothing: to write there
   * would blow the file up.
   *
   * @param what the format's name for it
   * @param hostOffset of its last byte
   */
  void requireInFile(String what, long hostOffset) throws IOException {
    long fileLength = file.length();
    if (hostOffset >= geometry.clusterEnd(fileLength)) {
      throw new CorruptImageException(
          what, hostOffset, "past the end of the file, whose length is " + fileLength);
    }
  }

  /**
   * Returns the header as it was at open, with the snapshot table of now; the disk's length and the
   * places of the L1 and refcount tables may have changed since.
   */
  Qcow2Header header() {
    return header;
  }

  /** Sets the header; the caller holds the metadata lock. */
  void header(Qcow2Header changed) {
    header = changed;
  }

  boolean isVersion3() {
    return header.version() >= 3;
  }

  ClusterGeometry geometry() {
    return geometry;
  }

  /** Returns what reads and changes the entries of L2 tables. */
  L2Entries l2Entries() {
    return l2Entries;
  }

  RefcountWidth refcountWidth() {
    return refcountWidth;
  }

  MetadataCache l2Cache() {
    return l2Cache;
  }

  MetadataCache refcountCache() {
    return refcountCache;
  }

  CompressedFile compressedFile() {
    return compressedFile;
  }

  DecompressedClusters decompressed() {
    return decompressed;
  }

  CompressedTail compressedTail() {
    return compressedTail;
  }

  OverlapGuard guard() {
    return guard;
  }

  /** Returns whether a cluster that is discarded keeps its place in the file. */
  boolean keepsDiscarded() {
    return keepsDiscarded;
  }

  /** Returns which free clusters give their space back. */
  DiscardPassing discards() {
    return discards;
  }

  RequestEpochs epochs() {
    return epochs;
  }

  /** Returns the metadata lock; never held over I/O. */
  ReentrantLock lock() {
    return lock;
  }

  RootTable l1() {
    return l1;
  }

  void l1(RootTable table) {
    l1 = table;
  }

  RootTable refcountTable() {
    return refcountTable;
  }

  void refcountTable(RootTable table) {
    refcountTable = table;
  }

  long length() {
    return length;
  }

  void length(long bytes) {
    length = bytes;
  }

  /** Returns the bytes of the host that the image takes, with its data file. */
  long allocatedBytes() throws IOException {
    long allocated = file.allocatedBytes();
    return data.isExternal() ? allocated + data.file().allocatedBytes() : allocated;
  }

  /** Forgets what was read and not changed since. */
  void forgetCached() {
    l2Cache.clear();
    refcountCache.clear();
    decompressed.clear();
  }

  /** Lets go of memory; nothing is written. */
  void close() {
    l2Cache.close();
    refcountCache.close();
    decompressed.close();
    compressedFile.close();
    data.close();
  }
}
