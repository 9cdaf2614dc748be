// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.testing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.blkmount.block.driver.BlockIo;
import io.blkmount.block.driver.Extent;
import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What every writable {@code BlockIo} promises, whatever lies behind it. */
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
public abstract class BlockIoContract {
  /** Length of the disks that the tests open: no multiple of any block. */
  public static final int LENGTH = 300 * 1024 + 512 * 3;

  /**
   * Opens a disk.
   *
   * @param content what it reads as, {@link #LENGTH} bytes
   * @throws IOException if the disk cannot be made
   */
  protected abstract BlockIo open(byte[] content) throws IOException;

  /** Returns whether a write past the end makes the disk longer. */
  protected boolean grows() {
    return false;
  }

  private static byte[] content() {
    return DiskModel.pattern(LENGTH, 42);
  }

  @ParameterizedTest(name = "offset {0} length {1}")
  @CsvSource({"0,1", "0,512", "511,2", "4095,8194", "65536,65536", "1,200000", "308735,1"})
  void readsWhatIsThere(int offset, int length) throws IOException {
    BlockIo disk = open(content());

    assertThat(disk.length()).isEqualTo(LENGTH);
    assertThat(Images.read(disk, offset, length))
        .isEqualTo(ByteBuffer.wrap(content(), offset, length));
  }

  @ParameterizedTest(name = "offset {0} length {1}")
  @CsvSource({"0,1", "0,512", "511,2", "4095,8194", "65536,65536", "1,200000", "308735,1"})
  void writesTheRangeAndNothingElse(int offset, int length) throws IOException {
    BlockIo disk = open(content());
    DiskModel model = model();
    ByteBuffer source = Images.bytes(length, 7);
    model.write(offset, source);

    disk.write(offset, source, WriteFlags.NONE);

    assertThat(source.hasRemaining()).isFalse();
    check(disk, model);
  }

  @Test
  void takesBuffersOfEveryKind() throws IOException {
    BlockIo disk = open(content());
    DiskModel model = model();
    ByteBuffer heap = ByteBuffer.wrap(DiskModel.pattern(2000, 1), 3, 1501);
    ByteBuffer readOnly = Images.bytes(1000, 2).asReadOnlyBuffer().position(7).slice();
    model.write(100, heap);
    model.write(5000, readOnly);

    disk.write(100, heap, WriteFlags.NONE);
    disk.write(5000, readOnly, WriteFlags.NONE);

    ByteBuffer target = ByteBuffer.allocate(9000).position(11).limit(8011);
    disk.read(0, target);
    model.check(0, target.position(11).slice(), "heap buffer with an offset");
    check(disk, model);
  }

  @Test
  void readsZerosPastTheEnd() throws IOException {
    BlockIo disk = open(content());

    ByteBuffer across = Images.read(disk, LENGTH - 100, 5000);
    ByteBuffer beyond = Images.read(disk, LENGTH + 77_777L, 5000);

    assertThat(across.slice(0, 100)).isEqualTo(ByteBuffer.wrap(content(), LENGTH - 100, 100));
    assertThat(across.slice(100, 4900)).isEqualTo(ByteBuffer.allocate(4900));
    assertThat(beyond).isEqualTo(ByteBuffer.allocate(5000));
  }

  @Test
  void requestsOfNoBytesDoNothing() throws IOException {
    BlockIo disk = open(content());

    disk.read(5, ByteBuffer.allocate(0));
    disk.write(5, ByteBuffer.allocate(0), WriteFlags.NONE);
    disk.writeZeroes(5, 0, WriteFlags.MAY_UNMAP);
    disk.discard(5, 0);

    check(disk, model());
  }

  @Test
  void refusesRangesThatAreNone() throws IOException {
    BlockIo disk = open(content());

    assertError(BlockError.INVALID, () -> disk.read(-1, ByteBuffer.allocate(1)));
    assertError(BlockError.INVALID, () -> disk.write(-1, Images.bytes(1, 1), WriteFlags.NONE));
    assertError(BlockError.INVALID, () -> disk.writeZeroes(0, -1, WriteFlags.NONE));
    assertError(BlockError.INVALID, () -> disk.discard(-5, 1));
    assertError(
        BlockError.TOO_BIG, () -> disk.write(Long.MAX_VALUE, Images.bytes(2, 1), WriteFlags.NONE));
    assertError(BlockError.TOO_BIG, () -> disk.writeZeroes(1, Long.MAX_VALUE, WriteFlags.NONE));

    check(disk, model());
  }

  @Test
  void aWritePastTheEndGrowsTheDiskOrChangesNothing() throws IOException {
    BlockIo disk = open(content());
    DiskModel model = model();
    ByteBuffer source = Images.bytes(1000, 3);

    if (grows()) {
      model.write(LENGTH - 10, source);
      disk.write(LENGTH - 10, source, WriteFlags.NONE);
      model.truncate(LENGTH + 5001);
      disk.writeZeroes(LENGTH + 5000, 1, WriteFlags.NONE);
    } else {
      assertError(BlockError.TOO_BIG, () -> disk.write(LENGTH - 10, source, WriteFlags.NONE));
      assertError(BlockError.TOO_BIG, () -> disk.writeZeroes(LENGTH, 1, WriteFlags.NONE));
      assertError(BlockError.TOO_BIG, () -> disk.discard(LENGTH - 1, 2));
    }

    assertThat(disk.length()).isEqualTo(model.length());
    check(disk, model);
  }

  @ParameterizedTest(name = "offset {0} length {1}")
  @CsvSource({"0,308736", "1,1", "511,2", "4095,8194", "65536,65536", "1,200000", "300000,8736"})
  void zeroesTheRangeAndNothingElse(int offset, int length) throws IOException {
    for (WriteFlags flags : List.of(WriteFlags.NONE, WriteFlags.MAY_UNMAP, WriteFlags.FUA)) {
      BlockIo disk = open(content());
      DiskModel model = model();
      model.writeZeroes(offset, length);

      disk.writeZeroes(offset, length, flags);
      disk.writeZeroes(offset, length, flags);

      check(disk, model);
    }
  }

  @Test
  void zeroingWithoutFallbackWorksOrIsRefused() throws IOException {
    BlockIo disk = open(content());
    DiskModel model = model();
    try {
      disk.writeZeroes(65_536, 65_536, WriteFlags.NO_FALLBACK);
      model.writeZeroes(65_536, 65_536);
    } catch (BlockException refused) {
      assertThat(refused.error()).isEqualTo(BlockError.NOT_SUPPORTED);
    }

    check(disk, model);
  }

  @ParameterizedTest(name = "offset {0} length {1}")
  @CsvSource({"0,308736", "1,1", "4095,8194", "65536,65536", "1,200000"})
  void aDiscardedRangeReadsAsBeforeOrAsZeros(int offset, int length) throws IOException {
    BlockIo disk = open(content());
    DiskModel model = model();
    model.discard(offset, length);

    disk.discard(offset, length);

    check(disk, model);
    check(disk, model);
  }

  @ParameterizedTest(name = "at most {0} bytes")
  @ValueSource(longs = {1000, 65536, Long.MAX_VALUE})
  void extentsCoverTheDiskAndZerosReadAsZeros(long maxLength) throws IOException {
    BlockIo disk = open(content());
    disk.writeZeroes(100_000, 150_000, WriteFlags.MAY_UNMAP);

    long position = 0;
    while (position < LENGTH) {
      Extent extent = disk.extentAt(position, maxLength);
      assertThat(extent.offset()).isEqualTo(position);
      assertThat(extent.length()).isBetween(1L, Math.min(maxLength, LENGTH - position));
      if (extent.kind() == Extent.Kind.ZERO) {
        assertThat(Images.read(disk, position, (int) extent.length()))
            .isEqualTo(ByteBuffer.allocate((int) extent.length()));
      }
      position = extent.end();
    }

    assertThat(position).isEqualTo(LENGTH);
  }

  @Test
  void flushesWhatWasWritten() throws IOException {
    BlockIo disk = open(content());
    DiskModel model = model();
    ByteBuffer source = Images.bytes(3000, 9);
    model.write(1234, source);

    disk.flush();
    disk.write(1234, source, WriteFlags.FUA);
    disk.flush();
    disk.flush();

    check(disk, model);
  }

  @ParameterizedTest(name = "seed {0}")
  @ValueSource(longs = {1, 2, 3, 4})
  void readsAsThePlainArrayDoes(long seed) throws IOException {
    BlockIo disk = open(content());
    DiskModel model = model();
    SplittableRandom random = new SplittableRandom(seed);
    for (int step = 0; step < 200 * Images.SCALE; step++) {
      int offset = random.nextInt(LENGTH) & (random.nextBoolean() ? -1 : -4096);
      int length = 1 + random.nextInt(Math.min(LENGTH - offset, random.nextInt(4) * 20_000 + 600));
      change(disk, model, random, offset, length);
      model.check(offset, Images.read(disk, offset, length), "seed " + seed + " step " + step);
    }
    check(disk, model);
  }

  private static void change(
      BlockIo disk, DiskModel model, SplittableRandom random, int offset, int length)
      throws IOException {
    switch (random.nextInt(5)) {
      case 0 -> {
        disk.writeZeroes(offset, length, WriteFlags.MAY_UNMAP);
        model.writeZeroes(offset, length);
      }
      case 1 -> {
        disk.discard(offset, length);
        model.discard(offset, length);
      }
      default -> {
        ByteBuffer source = Images.bytes(length, random.nextLong());
        model.write(offset, source);
        disk.write(offset, source, WriteFlags.NONE);
      }
    }
  }

  @Test
  void neighboursInOneBlockMayBeWrittenAtOnce() throws Exception {
    BlockIo disk = open(content());
    DiskModel model = model();
    int width = 73;
    int writers = 4;
    ExecutorService threads = Executors.newFixedThreadPool(writers);
    List<Future<?>> results = new ArrayList<>();
    for (int i = 0; i < writers; i++) {
      int writer = i;
      results.add(
          threads.submit(
              () -> {
                for (int at = writer * width; at + width < LENGTH; at += writers * width) {
                  disk.write(at, Images.bytes(width, at), WriteFlags.NONE);
                }
                return null;
              }));
    }
    threads.shutdown();
    assertThat(threads.awaitTermination(100, TimeUnit.SECONDS)).isTrue();
    for (Future<?> result : results) {
      result.get();
    }

    for (int at = 0; at + width < LENGTH; at += width) {
      model.write(at, Images.bytes(width, at));
    }
    check(disk, model);
  }

  private static DiskModel model() {
    DiskModel model = new DiskModel(LENGTH);
    model.write(0, ByteBuffer.wrap(content()));
    return model;
  }

  private static void check(BlockIo disk, DiskModel model) throws IOException {
    model.check(0, Images.read(disk, 0, model.length()), "whole disk");
  }

  private static void assertError(BlockError error, ThrowingCallable request) {
    assertThatThrownBy(request)
        .isInstanceOfSatisfying(BlockException.class, e -> assertThat(e.error()).isEqualTo(error));
  }
}
