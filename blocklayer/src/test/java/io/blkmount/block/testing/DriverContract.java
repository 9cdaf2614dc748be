// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.testing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.blkmount.block.bytes.Alignment;
import io.blkmount.block.driver.DriverInstance;
import io.blkmount.block.driver.Extent;
import io.blkmount.block.driver.Preallocation;
import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * What every {@code DriverInstance} does. An implementation's test extends this and opens fresh,
 * writable instances whose bytes are zeros.
 */
public abstract class DriverContract {
  /** Length of the disks that are asked for: some clusters of any usual size. */
  protected static final int LENGTH = 1 << 20;

  private DriverInstance driver;
  private DiskModel model;
  private int unit;

  /**
   * Opens a fresh instance.
   *
   * @param length in bytes; the instance may be longer
   * @return writable, all zeros
   * @throws IOException if it cannot be opened
   */
  protected abstract DriverInstance open(long length) throws IOException;

  /**
   * Opens once more what {@code closed} was; null if that cannot be done.
   *
   * @param closed an instance of {@link #open} that was closed
   * @return with the same content
   * @throws IOException if it cannot be opened
   */
  protected @Nullable DriverInstance reopen(DriverInstance closed) throws IOException {
    return null;
  }

  @BeforeEach
  final void openOne() throws IOException {
    driver = open(LENGTH);
    unit = driver.limits().requestAlignment();
    model = new DiskModel(Math.toIntExact(driver.length()));
  }

  @AfterEach
  final void closeIt() throws IOException {
    if (driver != null) {
      driver.close();
    }
  }

  @Test
  void freshDiskReadsAsZeros() throws IOException {
    assertThat(driver.length()).isGreaterThanOrEqualTo(LENGTH);
    compareAll();
  }

  @Test
  void writtenBytesAreReadBack() throws IOException {
    write(0, 4 * unit);
    write(LENGTH / 2 - unit, 2 * unit);
    write(model.length() / unit * unit - unit, unit);

    compareAll();
  }

  @Test
  void overwriteReplacesOnlyItsRange() throws IOException {
    write(0, LENGTH / 2);

    write(LENGTH / 8, LENGTH / 8);

    compareAll();
  }

  @Test
  void buffersOfEveryKindAreConsumedFromPositionToLimit() throws IOException {
    byte[] pattern = DiskModel.pattern(4 * unit, 7);
    ByteBuffer heap = ByteBuffer.wrap(pattern);
    ByteBuffer direct = ByteBuffer.allocateDirect(4 * unit).put(pattern).flip();

    for (ByteBuffer source : new ByteBuffer[] {heap, direct, direct.asReadOnlyBuffer()}) {
      source.position(unit).limit(3 * unit);
      driver.write(unit, source, WriteFlags.NONE);
      assertThat(source.remaining()).isZero();
      assertThat(source.limit()).isEqualTo(3 * unit);
    }
    for (ByteBuffer target :
        new ByteBuffer[] {ByteBuffer.allocate(4 * unit), ByteBuffer.allocateDirect(4 * unit)}) {
      driver.read(unit, target.position(unit).limit(3 * unit));
      assertThat(target.remaining()).isZero();
      byte[] read = new byte[2 * unit];
      target.get(unit, read);
      assertThat(read).isEqualTo(Arrays.copyOfRange(pattern, unit, 3 * unit));
      assertThat(target.clear().get(3 * unit)).isZero();
    }
  }

  @Test
  void writeZeroesMakesExactlyItsRangeZero() throws IOException {
    for (WriteFlags flags : new WriteFlags[] {WriteFlags.NONE, WriteFlags.MAY_UNMAP}) {
      write(0, model.length());

      writeZeroes(LENGTH / 4, LENGTH / 4, flags);

      compareAll();
    }
  }

  @Test
  void discardLeavesOldBytesOrZeros() throws IOException {
    write(0, model.length());

    discard(LENGTH / 4, LENGTH / 4);

    compareAll();
    compareAll();
  }

  @Test
  void extentsCoverTheDiskAndZeroOnesReadAsZero() throws IOException {
    write(LENGTH / 4, LENGTH / 4);
    writeZeroes(LENGTH / 4, LENGTH / 8, WriteFlags.MAY_UNMAP);

    long offset = 0;
    while (offset < driver.length()) {
      Extent extent = driver.extentAt(offset, driver.length() - offset);
      assertThat(extent.offset()).isEqualTo(offset);
      assertThat(extent.end()).isLessThanOrEqualTo(driver.length());
      if (extent.readsAsZero()) {
        assertThat(model.bytes((int) offset, (int) extent.length())).containsOnly(0);
      }
      offset = extent.end();
    }
    int written = LENGTH / 4 + LENGTH / 8 + 1;
    if (model.bytes(written, 1)[0] != 0) { // else the unit of zeroing is so large that it is gone
      assertThat(driver.extentAt(written, 5).kind()).isEqualTo(Extent.Kind.DATA);
    }
    assertThat(driver.extentAt(LENGTH / 4 + 1, 1).length()).isEqualTo(1);
  }

  @Test
  void readLayerNamesAPrefixOfTheRange() throws IOException {
    write(LENGTH / 4, LENGTH / 4);

    for (int offset = 0; offset < LENGTH; ) {
      long absent = driver.absentLength(offset, LENGTH - offset);
      ByteBuffer target = ByteBuffer.allocateDirect(LENGTH - offset);
      long result = driver.readLayer(offset, target);
      assertThat(absent).as("absent at %d", offset).isBetween(0L, Math.max(0, -result));
      int count = Math.toIntExact(Math.abs(result));
      assertThat(count).isBetween(1, LENGTH - offset);
      assertThat(target.position()).isEqualTo(result > 0 ? count : 0);
      if (result > 0) {
        model.check(offset, target.flip(), "readLayer");
      } else {
        assertThat(model.bytes(offset, count)).containsOnly(0);
      }
      offset += count;
    }
  }

  @Test
  void flushMayComeAtAnyTime() throws IOException {
    driver.flush();
    write(0, unit);
    driver.writeBack();
    driver.flush();
    driver.flush();

    compareAll();
  }

  @Test
  void grownSpaceReadsAsZerosEvenAfterAShrink() throws IOException {
    write(0, model.length());
    int old = model.length();
    int less = old / 2 / unit * unit;

    if (!truncate(less) || !truncate(old)) {
      assertThat(driver.length()).isIn((long) old, (long) less);
      assumeTrue(truncate(2 * old), "length is fixed");
    }

    compareAll();
  }

  @Test
  void growableInstanceIsWrittenPastItsEnd() throws IOException {
    assumeTrue(driver.support().growable(), "length is fixed");

    write(model.length() / unit * unit + 8 * unit, 2 * unit);

    assertThat(driver.length()).isEqualTo(model.length());
    compareAll();
  }

  /** Nobody sets the length afterwards: that could cut off what others have appended. */
  @Test
  void growableInstanceGrowsByZeroing() throws IOException {
    assumeTrue(driver.support().growable(), "length is fixed");
    int unit = driver.limits().zeroAlignment();
    int offset = model.length() / unit * unit + 8 * unit;

    try {
      driver.writeZeroes(offset, 2L * unit, WriteFlags.NONE);
    } catch (IOException refused) {
      assumeTrue(!isNotSupported(refused), "the caller writes zeros instead");
      throw refused;
    }

    assertThat(driver.length()).isEqualTo(offset + 2L * unit);
    model.truncate(offset + 2 * unit);
    compareAll();
  }

  @Test
  void reserveChangesNoByte() throws IOException {
    write(0, LENGTH / 4);

    Throwable failure = catchThrowable(() -> driver.reserve(LENGTH / 8, LENGTH / 4));

    assertThat(failure == null || isNotSupported(failure)).as("%s", failure).isTrue();
    compareAll();
  }

  @Test
  void contentSurvivesCloseAndOpen() throws IOException {
    write(LENGTH / 4, LENGTH / 4);
    writeZeroes(LENGTH / 4, LENGTH / 8, WriteFlags.NONE);
    DriverInstance closed = driver;
    driver = null;
    closed.close();

    driver = reopen(closed);

    assumeTrue(driver != null, "cannot be opened again");
    compareAll();
  }

  @Test
  void randomRequestsAgreeWithAPlainArray() throws IOException {
    for (long seed = 1; seed <= 4L * Images.SCALE; seed++) {
      SplittableRandom random = new SplittableRandom(seed);
      for (int step = 0; step < 100; step++) {
        randomStep(random, "seed " + seed + " step " + step);
      }
      compareAll();
    }
  }

  private void randomStep(SplittableRandom random, String context) throws IOException {
    int kind = random.nextInt(10);
    int grain = kind < 7 ? unit : unitOfRanges();
    int offset = random.nextInt(model.length() / grain) * grain;
    int most = Math.min(model.length() - offset, 1 << random.nextInt(18));
    int length = Math.min(model.length() - offset, Math.max(grain, most / grain * grain));
    if (kind < 4) {
      driver.write(
          offset, record(offset, Images.bytes(length, random.nextLong())), WriteFlags.NONE);
    } else if (kind < 7) {
      model.check(offset, Images.read(driver, offset, length), context);
    } else if (kind < 8) {
      discard(offset, length);
    } else {
      writeZeroes(offset, length, kind == 8 ? WriteFlags.NONE : WriteFlags.MAY_UNMAP);
    }
  }

  private int unitOfRanges() {
    return Math.max(driver.limits().zeroAlignment(), driver.limits().discardAlignment());
  }

  @Test
  void writersOfDisjointRangesDoNotDisturbEachOther() throws Exception {
    int share = Math.max(unit, LENGTH / 64 / unit * unit);
    ExecutorService pool = Executors.newFixedThreadPool(4);
    try {
      for (Future<Void> task : pool.invokeAll(writers(share))) {
        assertThat(task.get()).isNull();
      }
    } finally {
      pool.shutdown();
    }
    for (int i = 0; i < LENGTH / share; i++) {
      model.write(i * share, Images.bytes(share, i));
    }

    compareAll();
  }

  private List<Callable<Void>> writers(int share) {
    return IntStream.range(0, 4)
        .<Callable<Void>>mapToObj(thread -> () -> interleaved(thread, share))
        .toList();
  }

  private Void interleaved(int thread, int share) throws IOException {
    for (int i = thread; i < LENGTH / share; i += 4) {
      driver.write((long) i * share, Images.bytes(share, i), WriteFlags.NONE);
      ByteBuffer read = Images.read(driver, (long) i * share, share);
      assertThat(read).isEqualTo(Images.bytes(share, i));
    }
    return null;
  }

  private void write(int offset, int length) throws IOException {
    int aligned = Math.max(unit, length / unit * unit);
    int start = offset / unit * unit;
    driver.write(
        start, record(start, Images.bytes(aligned, offset + 31L * length)), WriteFlags.NONE);
  }

  private ByteBuffer record(int offset, ByteBuffer source) {
    model.write(offset, source);
    return source;
  }

  private void writeZeroes(int offset, int length, WriteFlags flags) throws IOException {
    int alignment = driver.limits().zeroAlignment();
    int start = (int) Alignment.down(offset, alignment);
    int end = (int) Math.min(model.length(), Alignment.up((long) start + length, alignment));
    try {
      driver.writeZeroes(start, end - start, flags.only(driver.support().zeroFlags()));
      model.writeZeroes(start, end - start);
    } catch (BlockException e) {
      assertThat(e.error()).isEqualTo(BlockError.NOT_SUPPORTED);
    }
  }

  private void discard(int offset, int length) throws IOException {
    int alignment = driver.limits().discardAlignment();
    int start = (int) Alignment.down(offset, alignment);
    int end = (int) Math.min(model.length(), Alignment.up((long) start + length, alignment));
    try {
      driver.discard(start, end - start);
      model.discard(start, end - start);
    } catch (BlockException e) {
      assertThat(e.error()).isEqualTo(BlockError.NOT_SUPPORTED);
    }
  }

  private boolean truncate(int length) throws IOException {
    try {
      driver.truncate(length, Preallocation.OFF);
    } catch (BlockException e) {
      assertThat(isNotSupported(e)).as("%s", e).isTrue();
      assertThat(driver.length()).isEqualTo(model.length());
      return false;
    }
    model.truncate(length);
    assertThat(driver.length()).isEqualTo(length);
    return true;
  }

  private static boolean isNotSupported(Throwable failure) {
    return failure instanceof BlockException e && e.error() == BlockError.NOT_SUPPORTED;
  }

  private void compareAll() throws IOException {
    int end = (int) Alignment.up(model.length(), unit);
    ByteBuffer all = Images.read(driver, 0, end);
    model.check(0, all.limit(model.length()), getClass().getSimpleName());
  }
}
