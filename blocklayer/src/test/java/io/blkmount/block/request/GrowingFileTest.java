// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.request;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.blkmount.block.driver.Preallocation;
import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import io.blkmount.block.testing.DiskModel;
import io.blkmount.block.testing.FaultInstance;
import io.blkmount.block.testing.ForwardingInstance.Kind;
import io.blkmount.block.testing.Images;
import io.blkmount.block.testing.MemoryInstance;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Files that are written in whole blocks and yet have any length, as with O_DIRECT. */
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class GrowingFileTest {
  private static final PipelineOptions OPTIONS = PipelineOptions.writable("file");

  @ParameterizedTest(name = "alignment {0}")
  @ValueSource(ints = {1, 512, 4096})
  void paddingNeverLeavesTheFileLongerThanItsLastByte(int alignment) throws IOException {
    MemoryInstance file = MemoryInstance.aligned(1000, alignment);
    RequestPipeline pipeline = new RequestPipeline(file, OPTIONS);

    pipeline.write(10, Images.bytes(980, 1), WriteFlags.NONE);
    assertThat(file.length()).isEqualTo(1000);
    pipeline.write(990, Images.bytes(100, 2), WriteFlags.NONE);
    assertThat(file.length()).isEqualTo(1090);
    pipeline.write(200_001, Images.bytes(100_001, 3), WriteFlags.NONE);
    assertThat(file.length()).isEqualTo(300_002);
    pipeline.writeZeroes(300_000, 10_001, WriteFlags.NONE);
    assertThat(file.length()).isEqualTo(310_001);
    pipeline.writeZeroes(310_000, 1, WriteFlags.NONE);
    assertThat(file.length()).isEqualTo(310_001);
  }

  @ParameterizedTest(name = "alignment {0}")
  @ValueSource(ints = {1, 512, 4096})
  void aFailedWriteLeavesNoPaddingEither(int alignment) throws IOException {
    for (int n = 0; ; n++) {
      MemoryInstance file = MemoryInstance.aligned(1000, alignment);
      FaultInstance faults =
          new FaultInstance(file, Set.of(Kind.READ, Kind.WRITE), BlockError.NO_SPACE, true);
      faults.failOnce(n);
      RequestPipeline pipeline = new RequestPipeline(faults, OPTIONS);
      try {
        pipeline.write(900, Images.bytes(100_001, 3), WriteFlags.NONE);
      } catch (BlockException full) {
        assertThat(full.error()).isEqualTo(BlockError.NO_SPACE);
      }
      assertThat(file.length()).as("call %d", n).isBetween(1000L, 100_901L);
      if (!faults.tripped()) {
        return;
      }
    }
  }

  @ParameterizedTest(name = "alignment {0}")
  @ValueSource(ints = {1, 512, 4096})
  void aFileReadsAndGrowsAsThePlainArrayDoes(int alignment) throws IOException {
    for (long seed = 1; seed <= 10; seed++) {
      SplittableRandom random = new SplittableRandom(seed);
      MemoryInstance file = MemoryInstance.aligned(random.nextInt(20_000), alignment);
      RequestPipeline pipeline = new RequestPipeline(file, OPTIONS);
      DiskModel model = new DiskModel((int) file.length());
      for (int step = 0; step < 300 * Images.SCALE; step++) {
        change(pipeline, model, random);
        String context = "seed " + seed + " step " + step;
        assertThat(file.length()).as(context).isEqualTo(model.length());
        check(pipeline, model, context);
      }
    }
  }

  private static void change(RequestPipeline pipeline, DiskModel model, SplittableRandom random)
      throws IOException {
    int offset = random.nextInt(40_000) & (random.nextBoolean() ? -1 : -512);
    int length = 1 + random.nextInt(random.nextBoolean() ? 600 : 10_000);
    switch (random.nextInt(5)) {
      case 0 -> {
        pipeline.truncate(offset, Preallocation.OFF);
        model.truncate(offset);
      }
      case 1 -> {
        pipeline.writeZeroes(offset, length, WriteFlags.NONE);
        model.truncate(Math.max(model.length(), offset + length));
        model.writeZeroes(offset, length);
      }
      case 2 -> {
        pipeline.discard(offset, length);
        int inside = Math.min(length, model.length() - offset);
        if (inside > 0) {
          model.discard(offset, inside);
        }
      }
      default -> {
        ByteBuffer source = Images.bytes(length, random.nextLong());
        model.write(offset, source);
        pipeline.write(offset, source, WriteFlags.NONE);
      }
    }
  }

  private static void check(RequestPipeline pipeline, DiskModel model, String context)
      throws IOException {
    ByteBuffer all = Images.read(new PipelineIo(pipeline), 0, model.length());
    model.check(0, all, context);
  }

  @ParameterizedTest(name = "alignment {0}")
  @ValueSource(ints = {1, 512, 4096})
  void appendsAtOnceLoseNothingToEachOthersPadding(int alignment) throws Exception {
    MemoryInstance file = MemoryInstance.aligned(77, alignment);
    RequestPipeline pipeline = new RequestPipeline(file, OPTIONS);
    List<TestThread<Boolean>> threads = new ArrayList<>();
    int length = 777;
    int writers = 8;
    for (int i = 0; i < writers; i++) {
      int writer = i;
      threads.add(
          TestThread.run(
              () -> {
                for (int n = 0; n < 200; n++) {
                  int block = n * writers + writer;
                  pipeline.write(
                      77L + (long) block * length, Images.bytes(length, block), WriteFlags.NONE);
                }
              }));
    }
    for (TestThread<Boolean> thread : threads) {
      thread.join();
    }

    assertThat(file.length()).isEqualTo(77 + 200 * writers * length);
    for (int block = 0; block < 200 * writers; block++) {
      assertThat(Images.read(new PipelineIo(pipeline), 77L + (long) block * length, length))
          .as("block %d", block)
          .isEqualTo(Images.bytes(length, block));
    }
  }

  /** Who sees the padding shows a disk that is too long, and lets writes in that make it so. */
  @Test
  void nobodySeesThePaddingBeforeItIsCutOff() throws Exception {
    GatedInstance gates = new GatedInstance(MemoryInstance.aligned(1000, 512));
    RequestPipeline pipeline = new RequestPipeline(gates, OPTIONS);
    GatedInstance.Gate cutting = gates.closeFor(Kind.TRUNCATE);
    TestThread<Boolean> padded =
        TestThread.run(() -> pipeline.write(900, Images.bytes(101, 1), WriteFlags.NONE));
    cutting.awaitArrival();

    long meanwhile = pipeline.length();
    cutting.open();
    padded.join();

    assertThat(meanwhile).isEqualTo(1001);
    pipeline.truncate(5000, Preallocation.OFF);
    assertThat(pipeline.length()).isEqualTo(5000);
  }

  @Test
  void anAppendWaitsForOneThatMayCutThePaddingOff() throws Exception {
    GatedInstance gates = new GatedInstance(MemoryInstance.aligned(1000, 512));
    RequestPipeline pipeline = new RequestPipeline(gates, OPTIONS);
    GatedInstance.Gate gate = gates.closeFor(Kind.WRITE);
    TestThread<Boolean> padded =
        TestThread.run(() -> pipeline.write(1000, Images.bytes(100, 1), WriteFlags.NONE));
    gate.awaitArrival();

    TestThread<Boolean> append =
        TestThread.run(() -> pipeline.write(51_200, Images.bytes(512, 2), WriteFlags.NONE));
    append.awaitBlocked();
    gate.open();

    padded.join();
    append.join();
    assertThat(Images.read(new PipelineIo(pipeline), 51_200, 512)).isEqualTo(Images.bytes(512, 2));
  }

  @Test
  void aWriteNoticesThatTheFileShrankWhileItWaited() throws Exception {
    GatedInstance gates = new GatedInstance(MemoryInstance.aligned(10_000, 512));
    RequestPipeline pipeline = new RequestPipeline(gates, OPTIONS);
    GatedInstance.Gate shrinking = gates.closeFor(Kind.TRUNCATE);
    TestThread<Boolean> shrink = TestThread.run(() -> pipeline.truncate(4500, Preallocation.OFF));
    shrinking.awaitArrival();
    GatedInstance.Gate writing = gates.closeFor(Kind.WRITE);
    TestThread<Boolean> padded =
        TestThread.run(() -> pipeline.write(5000, Images.bytes(100, 1), WriteFlags.NONE));
    padded.awaitBlocked();
    shrinking.open();
    writing.awaitArrival();

    TestThread<Boolean> append =
        TestThread.run(() -> pipeline.write(51_200, Images.bytes(512, 2), WriteFlags.NONE));
    append.awaitBlocked();
    writing.open();

    shrink.join();
    padded.join();
    append.join();
    assertThat(pipeline.length()).isEqualTo(51_712);
    assertThat(Images.read(new PipelineIo(pipeline), 5000, 100)).isEqualTo(Images.bytes(100, 1));
  }

  @Test
  void aDeviceDoesNotGrow() throws IOException {
    MemoryInstance device = MemoryInstance.device(8192, 512);
    RequestPipeline pipeline = new RequestPipeline(device, OPTIONS);

    assertThatThrownBy(() -> pipeline.write(8000, Images.bytes(193, 1), WriteFlags.NONE))
        .isInstanceOfSatisfying(
            BlockException.class, e -> assertThat(e.error()).isEqualTo(BlockError.TOO_BIG))
        .hasMessage("request beyond end of disk: offset=8000 count=193 length=8192");
    assertThatThrownBy(() -> pipeline.writeZeroes(0, 8193, WriteFlags.NONE))
        .isInstanceOf(BlockException.class);
    assertThatThrownBy(() -> pipeline.discard(8192, 1)).isInstanceOf(BlockException.class);
    assertThatThrownBy(() -> pipeline.reserve(8000, 193)).isInstanceOf(BlockException.class);

    assertThat(device.content().allocatedBytes()).isZero();
  }

  @Test
  void truncateWaitsForWritesOfThePartThatGoes() throws Exception {
    GatedInstance gates = new GatedInstance(MemoryInstance.ofLength(10_000));
    RequestPipeline pipeline = new RequestPipeline(gates, OPTIONS);
    GatedInstance.Gate gate = gates.closeFor(Kind.WRITE);
    TestThread<Boolean> write =
        TestThread.run(() -> pipeline.write(9000, Images.bytes(100, 1), WriteFlags.NONE));
    gate.awaitArrival();

    TestThread<Boolean> shrink =
        TestThread.run(() -> pipeline.truncate(5000, Preallocation.OFF)).awaitBlocked();
    pipeline.write(0, Images.bytes(100, 2), WriteFlags.NONE); // not in its way
    gate.open();

    write.join();
    shrink.join();
    assertThat(pipeline.length()).isEqualTo(5000);
  }
}
