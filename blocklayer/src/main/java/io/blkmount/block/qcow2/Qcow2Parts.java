// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

/**
 * The workers of one opened image, put together.
 *
 * @param lookup finds clusters
 * @param content reads them
 * @param compressed reads those that are compressed
 * @param writer writes and allocates
 * @param compressedWriter writes whole clusters compressed
 * @param zeroClusters zeroes and discards
 * @param reservation allocates without writing
 * @param resizer changes the length
 * @param dataFile keeps an external data file in step with it
 * @param snapshots takes, applies and deletes internal snapshots
 * @param vmState holds the state of a machine past the disk
 * @param freed gives clusters back; here for the tests, which free them too early to be caught
 * @param writeback makes metadata durable
 * @param bitmaps the persistent bitmaps, not loaded yet
 */
record Qcow2Parts(
    ClusterLookup lookup,
    ClusterContent content,
    CompressedReader compressed,
    ClusterWriter writer,
    CompressedWriter compressedWriter,
    ZeroClusters zeroClusters,
    SpaceReservation reservation,
    Qcow2Resizer resizer,
    DataFileLength dataFile,
    Qcow2Snapshots snapshots,
    VmState vmState,
    FreedClusters freed,
    MetadataWriteback writeback,
    BitmapSet bitmaps) {

  /**
   * Builds the workers.
   *
   * @param fileLength of the image file in bytes: above it the file was never written
   */
  static Qcow2Parts of(Metadata metadata, long fileLength) {
    Refcounts refcounts = new Refcounts(metadata);
    FreedClusters freed = new FreedClusters(metadata, refcounts);
    MetadataWriteback writeback = new MetadataWriteback(metadata, freed);
    RefcountTableGrowth growth = new RefcountTableGrowth(metadata, refcounts, freed, writeback);
    ClusterAllocator allocator = new ClusterAllocator(metadata, refcounts, growth, fileLength);
    ClusterLookup lookup = new ClusterLookup(metadata);
    L2Tables l2Tables = new L2Tables(metadata, lookup, allocator, refcounts, freed);
    CompressedReader compressed = new CompressedReader(metadata, lookup);
    ClusterContent content = new ClusterContent(metadata, compressed);
    CopyOnWrite copyOnWrite = new CopyOnWrite(metadata, content);
    DataClusters clusters = new DataClusters(metadata, allocator);
    ClusterWriter writer =
        new ClusterWriter(metadata, lookup, l2Tables, clusters, copyOnWrite, freed, writeback);
    CompressedSpace space = new CompressedSpace(metadata, refcounts, allocator);
    CompressedWriter compressedWriter =
        new CompressedWriter(metadata, l2Tables, space, writer, freed, writeback);
    EntryChanges changes =
        new EntryChanges(metadata, lookup, l2Tables, freed, writeback, DiscardReason.REQUEST);
    EntryChanges cuts =
        new EntryChanges(metadata, lookup, l2Tables, freed, writeback, DiscardReason.CUT_OFF);
    ZeroClusters zeroClusters = new ZeroClusters(metadata, lookup, content, changes, cuts, writer);
    SpaceReservation reservation =
        new SpaceReservation(
            metadata, lookup, content, writer, clusters, l2Tables, freed, writeback);
    DataFileLength dataFile = new DataFileLength(metadata, changes);
    Preallocator preallocator =
        new Preallocator(metadata, lookup, clusters, l2Tables, freed, writeback);
    L1TableGrowth l1Growth = new L1TableGrowth(metadata, allocator, freed, writeback);
    DiskTail tail = new DiskTail(metadata, content, lookup, writer, zeroClusters);
    Qcow2Resizer resizer =
        new Qcow2Resizer(metadata, l1Growth, tail, zeroClusters, dataFile, preallocator, writeback);
    VmState vmState = new VmState(metadata, writer, l1Growth);
    Qcow2Snapshots snapshots =
        new Qcow2Snapshots(metadata, refcounts, allocator, freed, writeback, resizer, vmState);
    return new Qcow2Parts(
        lookup,
        content,
        compressed,
        writer,
        compressedWriter,
        zeroClusters,
        reservation,
        resizer,
        dataFile,
        snapshots,
        vmState,
        freed,
        writeback,
        new BitmapSet(metadata, allocator, freed, writeback));
  }
}
