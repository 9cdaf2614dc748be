// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.blkmount.block.backend.BlockBackend;
import io.blkmount.block.driver.CreateOptions;
import io.blkmount.block.driver.NewSnapshot;
import io.blkmount.block.driver.Snapshottable;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import io.blkmount.block.open.OpenOptions;
import io.blkmount.block.testing.QemuImg;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Snapshots of a disk that several threads write to. */
@Timeout(60)
final class LiveSnapshotTest {
  private static final int THREADS = 3;
  private static final int SLOTS = 64;
  private static final int SLOT = 8192;

  @TempDir private Path folder;
  private final ExecutorService pool = Executors.newFixedThreadPool(THREADS);
  private final AtomicBoolean done = new AtomicBoolean();

  @AfterEach
  void endThreads() {
    done.set(true);
    pool.shutdown();
  }

  /** Each thread counts up, slot by slot: a snapshot has no number without those before it. */
  @Test
  void snapshotShowsEveryThreadAtOneMoment() throws Exception {
    Path file = folder.resolve("disk.qcow2");
    long length = (long) THREADS * SLOTS * SLOT;
    Map<String, String> values = Map.of("cluster_size", "4096");
    BlockLayer.create(file.toString(), "qcow2", new CreateOptions(length, null, values));
    try (BlockBackend disk = BlockLayer.open(OpenOptions.of(file.toString()))) {
      List<Future<?>> writers = new ArrayList<>();
      for (int i = 0; i < THREADS; i++) {
        long start = (long) i * SLOTS * SLOT;
        writers.add(pool.submit(() -> countUp(disk, start)));
      }
      Snapshottable snapshots = disk.internalSnapshots();
      for (int i = 0; i < 12; i++) {
        snapshots.createSnapshot(NewSnapshot.ofDisk("s" + i, Instant.now()));
        if (i % 3 == 2) {
          snapshots.deleteSnapshot("s" + (i - 1));
        }
      }
      done.set(true);
      for (Future<?> writer : writers) {
        writer.get();
      }
      assertThat(snapshots.snapshots()).hasSize(8);
    }
    QemuImg.requireClean(file, "after close");
    for (int i = 0; i < 12; i += 3) {
      requireCounted(file, "s" + i);
    }
  }

  private Void countUp(BlockBackend disk, long start) throws IOException {
    for (long number = 1; !done.get(); number++) {
      ByteBuffer slot = ByteBuffer.allocateDirect(SLOT);
      while (slot.hasRemaining()) {
        slot.putLong(number);
      }
      disk.write(start + number % SLOTS * SLOT, slot.flip());
    }
    return null;
  }

  private static void requireCounted(Path file, String name) throws IOException {
    OpenOptions options =
        OpenOptions.of(file.toString())
            .withReadOnly(true)
            .withImageOption("internal-snapshot", name);
    try (BlockBackend disk = BlockLayer.open(options)) {
      for (int thread = 0; thread < THREADS; thread++) {
        long last = 0;
        List<Long> numbers = new ArrayList<>();
        for (int slot = 0; slot < SLOTS; slot++) {
          ByteBuffer bytes = ByteBuffer.allocateDirect(SLOT);
          disk.read(((long) thread * SLOTS + slot) * SLOT, bytes);
          numbers.add(bytes.getLong(0));
          last = Math.max(last, bytes.getLong(0));
          assertThat(bytes.getLong(SLOT - 8))
              .as("%s: whole slots", name)
              .isEqualTo(numbers.get(slot));
        }
        for (long number = Math.max(1, last - SLOTS + 1); number <= last; number++) {
          assertThat(numbers.get((int) (number % SLOTS))).as(name).isEqualTo(number);
        }
      }
    }
  }

  @Test
  void formatWithoutSnapshotsSaysSo() throws IOException {
    Path file = folder.resolve("disk.raw");
    BlockLayer.create(file.toString(), "raw", CreateOptions.ofLength(1 << 20));
    try (BlockBackend disk = BlockLayer.open(OpenOptions.of(file.toString()).withFormat("raw"))) {
      assertThatThrownBy(disk::internalSnapshots)
          .hasMessage(file + ": format raw has no internal snapshots")
          .extracting(e -> ((BlockException) e).error())
          .isEqualTo(BlockError.NOT_SUPPORTED);
    }
  }

  @Test
  void closedDiskHasNoSnapshots() throws IOException {
    Path file = folder.resolve("disk.qcow2");
    BlockLayer.create(file.toString(), "qcow2", CreateOptions.ofLength(1 << 20));
    BlockBackend disk = BlockLayer.open(OpenOptions.of(file.toString()));
    Snapshottable snapshots = disk.internalSnapshots();
    disk.close();

    assertThatThrownBy(snapshots::snapshots)
        .extracting(e -> ((BlockException) e).error())
        .isEqualTo(BlockError.NO_MEDIUM);
  }
}
