// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.bitmap;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.bytes.ByteRange;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicIntegerArray;
import org.junit.jupiter.api.Test;

final class DirtyBitmapTest {
  private static final int KIB = 1024;

  private final DirtyBitmap bitmap = new DirtyBitmap(1_000_000, 16);

  @Test
  void writesMarkTheGranulesThatTheyTouch() {
    bitmap.recording(true);

    bitmap.record(64 * KIB - 1, 64 * KIB + 1);
    bitmap.record(999_999, 1_000_000);

    assertThat(bitmap.nextDirty(0)).isEqualTo(new ByteRange(0, 128 * KIB));
    assertThat(bitmap.nextDirty(100)).isEqualTo(ByteRange.between(100, 128 * KIB));
    assertThat(bitmap.nextDirty(128 * KIB)).isEqualTo(ByteRange.between(15 << 16, 1_000_000));
    assertThat(bitmap.nextDirty(1_000_000)).isNull();
    assertThat(bitmap.dirtyBytes()).isEqualTo(3 << 16);
  }

  @Test
  void onlyARecordingBitmapSeesWrites() {
    bitmap.record(0, 10);

    assertThat(bitmap.nextDirty(0)).isNull();
    assertThat(bitmap.isChanged()).isFalse();
  }

  @Test
  void whatIsMarkedAlreadyIsNoChange() {
    bitmap.mark(0, 10);
    bitmap.settle();

    bitmap.mark(5, 700);
    bitmap.clear(1 << 16, 2 << 16);

    assertThat(bitmap.isChanged()).isFalse();
  }

  @Test
  void clearingTakesWholeGranules() {
    bitmap.mark(0, 1_000_000);

    bitmap.clear(70_000, 70_001);

    assertThat(bitmap.nextDirty(0)).isEqualTo(ByteRange.between(0, 1 << 16));
    assertThat(bitmap.nextDirty(1 << 16)).isEqualTo(ByteRange.between(2 << 16, 1_000_000));
    bitmap.clear();
    assertThat(bitmap.nextDirty(0)).isNull();
  }

  @Test
  void aLongerDiskIsCleanAtItsEnd() {
    bitmap.mark(0, 1_000_000);

    bitmap.resize(3_000_000);

    assertThat(bitmap.nextDirty(0)).isEqualTo(ByteRange.between(0, 16 << 16));
    bitmap.resize(100_000);
    assertThat(bitmap.nextDirty(0)).isEqualTo(ByteRange.between(0, 100_000));
    bitmap.resize(3_000_000);
    assertThat(bitmap.nextDirty(0)).isEqualTo(ByteRange.between(0, 2 << 16));
  }

  @Test
  void mergingRoundsOutToItsOwnGranules() {
    DirtyBitmap fine = new DirtyBitmap(1_000_000, 9);
    fine.mark(70_000, 70_001);
    fine.mark(999_999, 1_000_000);

    bitmap.merge(fine);

    assertThat(bitmap.nextDirty(0)).isEqualTo(ByteRange.between(1 << 16, 2 << 16));
    assertThat(bitmap.nextDirty(2 << 16)).isEqualTo(ByteRange.between(15 << 16, 1_000_000));
    fine.merge(bitmap);
    assertThat(fine.nextDirty(0)).isEqualTo(ByteRange.between(1 << 16, 2 << 16));
  }

  /**
   * Writers change a value and mark it; a copier takes marks and copies then. Whatever the order,
   * when all is quiet a value is copied or marked.
   */
  @Test
  void aCopierThatClearsMissesNoWrite() throws InterruptedException, ExecutionException {
    int granules = 64;
    DirtyBitmap shared = new DirtyBitmap(granules * 512L, 9);
    shared.recording(true);
    AtomicIntegerArray values = new AtomicIntegerArray(granules);
    AtomicIntegerArray copies = new AtomicIntegerArray(granules);
    ExecutorService pool = Executors.newFixedThreadPool(3);
    List<Future<?>> running = new ArrayList<>();
    for (int writer = 0; writer < 2; writer++) {
      running.add(pool.submit(() -> write(shared, values, 200_000)));
    }
    running.add(pool.submit(() -> copy(shared, values, copies, 100_000)));
    for (Future<?> each : running) {
      each.get();
    }
    pool.shutdown();

    copy(shared, values, copies, granules);

    for (int i = 0; i < granules; i++) {
      assertThat(copies.get(i)).as("granule %d", i).isEqualTo(values.get(i));
    }
    assertThat(shared.dirtyBytes()).isZero();
  }

  private static void write(DirtyBitmap bitmap, AtomicIntegerArray values, int count) {
    for (int i = 0; i < count; i++) {
      int granule = i * 7 % values.length();
      values.addAndGet(granule, 1);
      bitmap.record(granule * 512L, granule * 512L + 512);
    }
  }

  private static void copy(
      DirtyBitmap bitmap, AtomicIntegerArray values, AtomicIntegerArray copies, int rounds) {
    for (int i = 0; i < rounds; i++) {
      ByteRange dirty = bitmap.nextDirty(0);
      if (dirty != null) {
        int granule = (int) (dirty.offset() / 512);
        bitmap.clear(dirty.offset(), dirty.offset() + 512);
        copies.set(granule, values.get(granule));
      }
    }
  }
}
