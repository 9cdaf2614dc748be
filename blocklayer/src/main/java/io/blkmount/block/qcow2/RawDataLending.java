// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.bytes.Alignment;
import io.blkmount.block.driver.ChildRole;
import io.blkmount.block.driver.Lendable;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import io.blkmount.block.error.CorruptImageException;
import java.io.IOException;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * Lets others read and write a raw data file beside the image. That is right where each entry
 * points to what is in the file: a cluster that is nowhere, or zero by its entry, would hide what
 * they write. While the image is open no entry of a raw data file ever changes to such a one.
 */
final class RawDataLending implements Lendable {
  /** So much is looked through at an opening of the disk: that of 256 GiB in usual clusters. */
  private static final long MAX_L2_BYTES = 32L << 20;

  /** What the length of a disk is a multiple of. */
  private static final int SECTOR = 512;

  private final Metadata metadata;
  private final Qcow2Parts parts;
  private final Corruption corruption;
  private final ImageChanges changes;
  private final Qcow2Bitmaps bitmaps;

  /** One growth at a time; held over I/O, and taken before all other locks. */
  private final ReentrantLock growing = new ReentrantLock();

  private volatile boolean mapped;

  RawDataLending(
      Metadata metadata,
      Qcow2Parts parts,
      Corruption corruption,
      ImageChanges changes,
      Qcow2Bitmaps bitmaps) {
    this.metadata = metadata;
    this.parts = parts;
    this.corruption = corruption;
    this.changes = changes;
    this.bitmaps = bitmaps;
  }

  @Override
  public @Nullable ChildRole wholeFile() {
    Qcow2Header header = metadata.header();
    boolean isWhole =
        metadata.data().isRaw() && header.snapshotCount() == 0 && !header.hasBackingName();
    return isWhole ? ChildRole.DATA : null;
  }

  @Override
  public void prepareLending() throws IOException {
    requireLength();
    if (!mapped) {
      requireMapped();
      mapped = true;
    }
    bitmaps.lend();
    if (corruption.isWritable()) {
      changes.prepare();
    }
  }

  /** The file may end inside the last sector, where it was written beside the image. */
  private void requireLength() throws IOException {
    long length = metadata.data().file().length();
    if (Alignment.up(length, SECTOR) != metadata.length()) {
      throw unsupported(
          "its data file has " + length + " bytes, the disk has " + metadata.length());
    }
  }

  private void requireMapped() throws IOException {
    ClusterGeometry geometry = metadata.geometry();
    long end = metadata.length();
    long l2Bytes = geometry.l1EntriesFor(end) << geometry.clusterBits();
    if (l2Bytes > MAX_L2_BYTES) {
      throw unsupported(
          "its L2 tables have "
              + l2Bytes
              + " bytes, at most "
              + MAX_L2_BYTES
              + " are looked through");
    }
    long epoch = metadata.epochs().enter();
    try {
      requireMapped(end);
    } catch (CorruptImageException e) {
      throw corruption.report(e);
    } finally {
      metadata.epochs().leave(epoch);
    }
  }

  private void requireMapped(long end) throws IOException {
    for (long at = 0; at < end; ) {
      ClusterRun run = parts.lookup().find(at, end - at);
      if (run.kind() != L2Entry.Kind.NORMAL || run.hostOffset() != at) {
        throw unsupported("its disk is not mapped to the data file at guest offset " + at);
      }
      at += run.length();
    }
  }

  private static BlockException unsupported(String obstacle) {
    return new BlockException(BlockError.NOT_SUPPORTED, obstacle);
  }

  @Override
  public void followFile() throws IOException {
    if (corruption.isWritable() && fileLength() > metadata.length()) {
      growing.lock();
      try {
        long length = fileLength();
        if (length > metadata.length()) {
          changes.make(() -> parts.resizer().adopt(length));
        }
      } finally {
        growing.unlock();
      }
    }
  }

  private long fileLength() throws IOException {
    return Alignment.up(metadata.data().file().length(), SECTOR);
  }
}
