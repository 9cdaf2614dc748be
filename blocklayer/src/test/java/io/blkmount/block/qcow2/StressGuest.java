// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.driver.BlockIo;
import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.testing.PagedBytes;
import io.blkmount.block.testing.Qcow2Reader;
import io.blkmount.block.testing.SectorPattern;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.SplittableRandom;

/** One thread that changes only what it owns and knows what must be there. */
final class StressGuest {
  private static final int SECTOR = SectorPattern.SECTOR;
  private static final long BACKING_GENERATION = 1L << 40;

  private final BlockIo io;
  private final ImageShape shape;
  private final int thread;
  private final int threads;
  private final SplittableRandom random;
  private final int sectors;
  private final int perCluster;

  /** Generation of each sector; only those that this thread owns are kept. */
  private final long[] expected;

  /** Sectors that were discarded: they may be zero as well. */
  private final boolean[] maybeZero;

  private long generation;

  StressGuest(BlockIo io, ImageShape shape, int thread, int threads, long seed) {
    this.io = io;
    this.shape = shape;
    this.thread = thread;
    this.threads = threads;
    this.random = new SplittableRandom(seed * 100 + thread);
    this.sectors = shape.length() / SECTOR;
    this.perCluster = shape.clusterSize() / SECTOR;
    this.expected = new long[sectors];
    this.maybeZero = new boolean[sectors];
    for (int i = 0; i < Math.min(sectors, shape.backingLength() / SECTOR); i++) {
      expected[i] = BACKING_GENERATION;
    }
  }

  static PagedBytes backing(int length) {
    PagedBytes bytes = new PagedBytes(length);
    bytes.write(0, SectorPattern.sectors(0, length / SECTOR, BACKING_GENERATION));
    return bytes;
  }

  Void run(int requests) throws IOException {
    for (int i = 0; i < requests; i++) {
      int kind = random.nextInt(20);
      if (kind == 0) {
        io.flush();
      } else if (random.nextBoolean()) {
        changeSector(kind);
      } else {
        changeCluster(kind);
      }
    }
    return null;
  }

  /** First half of the disk: neighbours of one cluster belong to different threads. */
  private void changeSector(int kind) throws IOException {
    int sector = random.nextInt(sectors / 2 / threads) * threads + thread;
    change(kind, sector, 1);
  }

  /** Second half: whole clusters, and parts of them. */
  private void changeCluster(int kind) throws IOException {
    int clusters = sectors / perCluster;
    int cluster = clusters / 2 + random.nextInt(clusters / 2 / threads) * threads + thread;
    int first = random.nextInt(4) > 0 ? 0 : random.nextInt(perCluster);
    int count = random.nextInt(4) > 0 ? perCluster - first : 1 + random.nextInt(perCluster - first);
    change(kind, cluster * perCluster + first, count);
  }

  private void change(int kind, int sector, int count) throws IOException {
    long offset = (long) sector * SECTOR;
    if (kind < 8) {
      generation++;
      long written = generation * threads + thread;
      io.write(offset, SectorPattern.sectors(sector, count, written), WriteFlags.NONE);
      set(sector, count, written);
    } else if (kind < 11) {
      io.writeZeroes(offset, (long) count * SECTOR, flags());
      set(sector, count, SectorPattern.ZERO);
    } else if (kind < 14) {
      io.discard(offset, (long) count * SECTOR);
      for (int i = 0; i < count; i++) {
        maybeZero[sector + i] = true;
      }
    } else {
      check(sector, count);
    }
  }

  private WriteFlags flags() {
    return random.nextBoolean() ? WriteFlags.NONE : WriteFlags.MAY_UNMAP;
  }

  private void set(int sector, int count, long value) {
    for (int i = 0; i < count; i++) {
      expected[sector + i] = value;
      maybeZero[sector + i] = false;
    }
  }

  private void check(int sector, int count) throws IOException {
    ByteBuffer buffer = ByteBuffer.allocateDirect(count * SECTOR);
    io.read((long) sector * SECTOR, buffer);
    compare(sector, buffer.flip());
  }

  private void compare(int first, ByteBuffer buffer) {
    byte[] bytes = new byte[SECTOR];
    for (int sector = first; buffer.hasRemaining(); sector++) {
      buffer.get(bytes);
      long value = SectorPattern.generation(bytes, sector);
      if (value == SectorPattern.ZERO && maybeZero[sector]) {
        expected[sector] = SectorPattern.ZERO;
      } else if (value != expected[sector]) {
        throw new AssertionError(
            this + ": sector " + sector + " is " + value + ", not " + expected[sector]);
      }
      maybeZero[sector] = false;
    }
  }

  /** Compares all that this thread owns with what the driver says. */
  void checkAll() throws IOException {
    for (int sector = 0; sector < sectors; sector++) {
      if (owns(sector)) {
        check(sector, 1);
      }
    }
  }

  /** Compares all that this thread owns with what the image holds. */
  void checkAll(Qcow2Reader reader) throws IOException {
    for (int sector = 0; sector < sectors; sector++) {
      if (owns(sector)) {
        ByteBuffer buffer = ByteBuffer.allocate(SECTOR);
        reader.read((long) sector * SECTOR, buffer);
        compare(sector, buffer.flip());
      }
    }
  }

  private boolean owns(int sector) {
    int clusters = sectors / perCluster;
    int cluster = sector / perCluster;
    boolean inSecondHalf = cluster >= clusters / 2;
    return inSecondHalf
        ? (cluster - clusters / 2) % threads == thread
        : sector < sectors / 2 / threads * threads && sector % threads == thread;
  }

  @Override
  public String toString() {
    return shape + " thread " + thread;
  }
}
