// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.bytes.Alignment;
import io.blkmount.block.bytes.Zeroes;
import io.blkmount.block.driver.Preallocation;
import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import java.io.IOException;
import java.nio.ByteBuffer;

/** Changes the length of the virtual disk. Stands for {@code qcow2_co_truncate()}. */
final class Qcow2Resizer {
  /** QEMU counts disks in sectors: a length between two would lose the last bytes there. */
  private static final int SECTOR = 512;

  /** Largest L1 table that is opened or made, as QEMU's: 32 MiB. */
  private static final long MAX_L1_BYTES = 32L << 20;

  private final Metadata metadata;
  private final ClusterGeometry geometry;
  private final ClusterAllocator allocator;
  private final ClusterContent content;
  private final ClusterLookup lookup;
  private final ClusterWriter writer;
  private final ZeroClusters zeroClusters;
  private final DataFileLength dataFile;
  private final Preallocator preallocator;
  private final FreedClusters freed;
  private final MetadataWriteback writeback;

  Qcow2Resizer(
      Metadata metadata,
      ClusterAllocator allocator,
      ClusterContent content,
      ClusterLookup lookup,
      ClusterWriter writer,
      ZeroClusters zeroClusters,
      DataFileLength dataFile,
      Preallocator preallocator,
      FreedClusters freed,
      MetadataWriteback writeback) {
    this.metadata = metadata;
    this.geometry = metadata.geometry();
    this.allocator = allocator;
    this.content = content;
    this.lookup = lookup;
    this.writer = writer;
    this.zeroClusters = zeroClusters;
    this.dataFile = dataFile;
    this.preallocator = preallocator;
    this.freed = freed;
    this.writeback = writeback;
  }

  /**
   * Grows or shrinks the disk; the new part reads as zeros, over a longer backing file too.
   *
   * @param length in bytes; rounded up to whole sectors
   * @throws IOException with {@code TOO_BIG} if no L1 table maps so much, {@code NO_SPACE} if there
   *     is not enough to preallocate; the old length holds then
   */
  void truncate(long length, Preallocation preallocation) throws IOException {
    long rounded = Alignment.up(length, SECTOR);
    if (rounded < metadata.length() && preallocation != Preallocation.OFF) {
      throw new BlockException(
          BlockError.INVALID, "a disk that gets shorter has nothing to preallocate");
    }
    if (rounded != metadata.length()) {
      requireSnapshotsKeepLength();
    }
    if (rounded > metadata.length()) {
      grow(rounded, preallocation);
    } else if (rounded < metadata.length()) {
      shrink(rounded);
    }
  }

  /**
   * Fails if a snapshot's disk would change its length, too: one that has none of its own. Other
   * readers of version 2 look for none at all.
   */
  void requireSnapshotsKeepLength() throws IOException {
    Qcow2Header header = metadata.header();
    if (header.snapshotCount() > 0 && !metadata.isVersion3()) {
      throw new BlockException(
          BlockError.NOT_SUPPORTED, "an image of version 2 with snapshots cannot be resized");
    }
    new SnapshotTable(metadata.file().name(), metadata.file(), header)
        .forEach(Qcow2Resizer::requireDiskLength);
  }

  private static void requireDiskLength(SnapshotRecord snapshot) throws BlockException {
    if (snapshot.diskLength() == SnapshotRecord.UNKNOWN) {
      throw new BlockException(
          BlockError.NOT_SUPPORTED,
          "the image cannot be resized: its snapshot "
              + snapshot.printable()
              + " does not say how long its disk is");
    }
  }

  private void grow(long length, Preallocation preallocation) throws IOException {
    long oldLength = metadata.length();
    requireMapped(length);
    zeroNewPart(oldLength, length);
    dataFile.grow(oldLength, length);
    if (preallocation != Preallocation.OFF) {
      long firstWhole = geometry.clusterEnd(oldLength);
      preallocate(firstWhole, geometry.clusterEnd(length), preallocation, false);
    }
    setLength(length);
  }

  /**
   * Makes what others have written past the end of a raw data file a part of the disk.
   *
   * @param length of that file, in whole sectors; more than that of the disk
   */
  void adopt(long length) throws IOException {
    requireMapped(length);
    dataFile.mapAgain(geometry.clusterEnd(metadata.length()), length);
    writeback.flush();
    setLength(length);
  }

  /**
   * Gives a range its clusters, durably; if there are not enough, it gets none.
   *
   * @param inReserve as for {@link Preallocator#allocate}
   */
  void preallocate(long guestOffset, long guestEnd, Preallocation mode, boolean inReserve)
      throws IOException {
    try {
      preallocator.allocate(guestOffset, guestEnd, mode, inReserve);
      writeback.flush();
    } catch (IOException e) {
      forgetAfter(guestOffset, guestEnd, e);
      throw e;
    }
  }

  private void forgetAfter(long guestOffset, long guestEnd, IOException failure) {
    try {
      zeroClusters.forget(guestOffset, guestEnd);
    } catch (IOException e) {
      failure.addSuppressed(e);
    }
  }

  /** Makes the L1 table long enough for {@code length} bytes, those past the disk included. */
  void requireMapped(long length) throws IOException {
    long entries = geometry.l1EntriesFor(length);
    if (entries * 8 > MAX_L1_BYTES) {
      throw new BlockException(
          BlockError.TOO_BIG,
          "disk of "
              + length
              + " bytes: its L1 table would have "
              + entries * 8
              + " bytes, at most "
              + MAX_L1_BYTES
              + " are allowed");
    }
    if (entries > metadata.l1().entryCount()) {
      growL1((int) entries);
    }
  }

  /** Writes the table to a new place and switches with one write of the header. */
  private void growL1(int entries) throws IOException {
    int wanted =
        (int) Math.min(MAX_L1_BYTES / 8, Math.max(entries, metadata.l1().entryCount() * 3L / 2));
    int clusters = (int) geometry.clustersTouched(0, wanted * 8L);
    long hostOffset = allocator.allocateContiguous(clusters);
    RootTable grown = new RootTable(hostOffset, wanted);
    try {
      writeback.exclusively(() -> writeL1(grown, clusters));
    } catch (IOException e) {
      giveBack(new HostRun(hostOffset, clusters), e);
      throw e;
    }
    // From here on the clusters leak if anything fails: the header may name them already.
    writeback.exclusively(() -> switchL1(grown));
  }

  private void giveBack(HostRun run, IOException failure) {
    try {
      allocator.giveBack(run);
    } catch (IOException suppressed) {
      failure.addSuppressed(suppressed);
    }
  }

  private void writeL1(RootTable grown, int clusters) throws IOException {
    copyL1(grown);
    int bytes = Math.multiplyExact(clusters, geometry.clusterSize());
    metadata.file().write(grown.hostOffset(), grown.padded(bytes), WriteFlags.NONE);
  }

  /** Returns with all entries of the old table in the new one, and those that differed dirty. */
  private RootTable.Dirty copyL1(RootTable grown) {
    metadata.lock().lock();
    try {
      grown.takeOver(metadata.l1());
      return grown.takeDirty();
    } finally {
      metadata.lock().unlock();
    }
  }

  /** Brings the new table up to date, which the old one is on disk, and switches. */
  private void switchL1(RootTable grown) throws IOException {
    RootTable old = metadata.l1();
    RootTable.Dirty entries = copyL1(grown);
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

  /** Clears what the last cluster holds past the old end, and what a longer backing file shows. */
  private void zeroNewPart(long oldLength, long length) throws IOException {
    long firstWhole = Math.min(geometry.clusterEnd(oldLength), length);
    clearTail(oldLength, firstWhole);
    forgetLeftovers(oldLength, length);
    long visibleEnd = Math.min(length, content.backingLength());
    if (visibleEnd > firstWhole) {
      long end = geometry.clusterEnd(visibleEnd);
      if (metadata.isVersion3()) {
        zeroClusters.zero(firstWhole, end, WriteFlags.NONE);
      } else {
        writeZeros(firstWhole, end);
      }
    }
    writeback.flush(); // before the header: a power cut must not show the backing file
  }

  /** A shrink that a power cut or a failure ended leaves entries past the end. */
  private void forgetLeftovers(long oldLength, long length) throws IOException {
    long firstWhole = geometry.clusterEnd(oldLength);
    long end = geometry.clusterEnd(length);
    if (firstWhole < end) {
      zeroClusters.forget(firstWhole, end);
    }
  }

  /** Writes zeros to what does not read as zeros in the rest of a cluster. */
  private void clearTail(long guestOffset, long end) throws IOException {
    boolean mapped = geometry.l1Index(guestOffset) < metadata.l1().entryCount();
    for (long at = guestOffset, next; at < end; at = next) {
      ClusterRun run = mapped ? lookup.find(at, end - at) : null;
      next = run == null ? end : at + run.length();
      boolean zero = run == null ? at >= content.backingLength() : content.readsZero(run, at);
      if (!zero) {
        writeZeros(at, next);
      }
    }
  }

  private void writeZeros(long guestOffset, long guestEnd) throws IOException {
    for (long at = guestOffset; at < guestEnd; ) {
      int length = (int) Math.min(guestEnd - at, Zeroes.MAX_BUFFER);
      ByteBuffer zeros = Zeroes.buffer(length);
      writer.write(at, zeros);
      at += length;
    }
  }

  private void setLength(long length) throws IOException {
    new HeaderFields(metadata).writeLength(length);
    metadata.length(length);
  }

  /**
   * Drops the clusters first, durably, then shrinks the header: a failure leaves the old length,
   * and no power cut leaves clusters past the end that a later growth would show again.
   */
  private void shrink(long length) throws IOException {
    long end = geometry.clusterEnd(metadata.length());
    long firstWhole = geometry.clusterEnd(length);
    if (firstWhole < end) {
      zeroClusters.forget(firstWhole, end);
      writeback.writeDirty();
    }
    dataFile.shrink(length);
    setLength(length);
  }
}
