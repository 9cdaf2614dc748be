// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import java.io.IOException;

/**
 * Moves the L1 table to a larger place when the disk outgrows it: the table, then one write of the
 * header that switches.
 */
final class L1TableGrowth {
  /** Largest L1 table that is opened or made. */
  private static final long MAX_BYTES = (long) HeaderReader.MAX_L1_ENTRIES * Long.BYTES;

  private final Metadata metadata;
  private final ClusterGeometry geometry;
  private final ClusterAllocator allocator;
  private final FreedClusters freed;
  private final MetadataWriteback writeback;

  L1TableGrowth(
      Metadata metadata,
      ClusterAllocator allocator,
      FreedClusters freed,
      MetadataWriteback writeback) {
    this.metadata = metadata;
    this.geometry = metadata.geometry();
    this.allocator = allocator;
    this.freed = freed;
    this.writeback = writeback;
  }

  /**
   * Makes the table long enough for {@code length} bytes, those past the disk included.
   *
   * @throws IOException with {@code TOO_BIG} if no L1 table maps so much
   */
  void requireMapped(long length) throws IOException {
    long entries = geometry.l1EntriesFor(length);
    if (entries * Long.BYTES > MAX_BYTES) {
      throw new BlockException(
          BlockError.TOO_BIG,
          "disk of "
              + length
              + " bytes: its L1 table would have "
              + entries * Long.BYTES
              + " bytes, at most "
              + MAX_BYTES
              + " are allowed");
    }
    if (entries > metadata.l1().entryCount()) {
      grow((int) entries);
    }
  }

  /** Writes the table to a new place and switches with one write of the header. */
  private void grow(int entries) throws IOException {
    int wanted =
        (int)
            Math.min(
                HeaderReader.MAX_L1_ENTRIES,
                Math.max(entries, metadata.l1().entryCount() * 3L / 2));
    int clusters = (int) geometry.clustersTouched(0, (long) wanted * Long.BYTES);
    long hostOffset = allocator.allocateContiguous(clusters);
    RootTable grown = new RootTable(hostOffset, wanted);
    try {
      writeback.exclusively(() -> write(grown, clusters));
      writeback.exclusively(() -> switchTo(grown));
    } catch (HeaderFields.UndecidedException e) {
      throw e; // the header may name the new table
    } catch (IOException e) {
      giveBack(new HostRun(hostOffset, clusters), e);
      throw e;
    }
  }

  private void giveBack(HostRun run, IOException failure) {
    try {
      allocator.giveBack(run);
    } catch (IOException suppressed) {
      failure.addSuppressed(suppressed);
    }
  }

  private void write(RootTable grown, int clusters) throws IOException {
    copyTo(grown);
    int bytes = Math.multiplyExact(clusters, geometry.clusterSize());
    metadata.file().write(grown.hostOffset(), grown.padded(bytes), WriteFlags.NONE);
  }

  /** Returns with all entries of the old table in the new one, and those that differed dirty. */
  private RootTable.Dirty copyTo(RootTable grown) {
    metadata.lock().lock();
    try {
      grown.takeOver(metadata.l1());
      return grown.takeDirty();
    } finally {
      metadata.lock().unlock();
    }
  }

  /** Brings the new table up to date, which the old one is on disk, and switches. */
  private void switchTo(RootTable grown) throws IOException {
    RootTable old = metadata.l1();
    RootTable.Dirty entries = copyTo(grown);
    writeback.writeDirty(); // refcounts and tables that these entries need; the old L1 still counts
    entries.writeTo(metadata.file());
    metadata.file().flush();
    new HeaderFields(metadata).switchL1Table(old, grown);
    metadata.guard().remove(old.hostOffset(), old.byteCount(), OverlapGuard.Area.L1_TABLE);
    metadata.guard().add(grown.hostOffset(), grown.byteCount(), OverlapGuard.Area.L1_TABLE);
    metadata.lock().lock();
    try {
      grown.takeOver(old); // what was linked meanwhile
      metadata.l1(grown);
      if (old.byteCount() > 0) {
        freed.add(old.hostOffset(), old.byteCount());
      }
    } finally {
      metadata.lock().unlock();
    }
  }
}
