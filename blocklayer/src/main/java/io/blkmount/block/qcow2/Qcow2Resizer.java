// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.bytes.Alignment;
import io.blkmount.block.driver.Preallocation;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import java.io.IOException;

/** Changes the length of the virtual disk. Stands for {@code qcow2_co_truncate()}. */
final class Qcow2Resizer {
  /** QEMU counts disks in sectors: a length between two would lose the last bytes there. */
  private static final int SECTOR = 512;

  private final Metadata metadata;
  private final ClusterGeometry geometry;
  private final L1TableGrowth l1Growth;
  private final DiskTail tail;
  private final ZeroClusters zeroClusters;
  private final DataFileLength dataFile;
  private final Preallocator preallocator;
  private final MetadataWriteback writeback;

  Qcow2Resizer(
      Metadata metadata,
      L1TableGrowth l1Growth,
      DiskTail tail,
      ZeroClusters zeroClusters,
      DataFileLength dataFile,
      Preallocator preallocator,
      MetadataWriteback writeback) {
    this.metadata = metadata;
    this.geometry = metadata.geometry();
    this.l1Growth = l1Growth;
    this.tail = tail;
    this.zeroClusters = zeroClusters;
    this.dataFile = dataFile;
    this.preallocator = preallocator;
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
    l1Growth.requireMapped(length);
    tail.clear(oldLength, length);
    writeback.flush(); // before the header: a power cut must not show the backing file
    dataFile.grow(oldLength, length);
    if (preallocation != Preallocation.OFF) {
      long firstWhole = geometry.clusterEnd(oldLength);
      preallocate(firstWhole, geometry.clusterEnd(length), preallocation, false);
    }
    writeback.writeDirty(); // a raw data file is mapped as far as the header says at any time
    setLength(length);
  }

  /**
   * Makes what others have written past the end of a raw data file a part of the disk.
   *
   * @param length of that file, in whole sectors; more than that of the disk
   */
  void adopt(long length) throws IOException {
    l1Growth.requireMapped(length);
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

  private void setLength(long length) throws IOException {
    new HeaderFields(metadata).writeLength(length);
    metadata.length(length);
  }

  /**
   * Drops the clusters first, durably, then shrinks the header: a failure leaves the old length,
   * and no power cut leaves clusters past the end that a later growth would show again. Who reads a
   * raw data file as it stands must not see there what the guest does not any more.
   */
  private void shrink(long length) throws IOException {
    long end = geometry.clusterEnd(metadata.length());
    long firstWhole = geometry.clusterEnd(length);
    boolean isRaw = metadata.data().isRaw();
    if (isRaw) {
      dataFile.shrink(length);
    }
    if (firstWhole < end) {
      zeroClusters.forget(firstWhole, end);
      writeback.writeDirty();
    }
    if (!isRaw) {
      dataFile.shrink(length);
    }
    setLength(length);
  }
}
