// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.request;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.blkmount.block.bytes.Alignment;
import io.blkmount.block.driver.DetectZeroesMode;
import io.blkmount.block.driver.DriverInstance;
import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import io.blkmount.block.testing.DiskModel;
import io.blkmount.block.testing.Images;
import io.blkmount.block.testing.MemoryInstance;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Threads that each own every n-th slot of a disk, with slots that share blocks and clusters: what
 * one writes, none of the others may lose.
 */
@Timeout(value = 300, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class PipelineStressTest {
  private static final int THREADS = 6;
  private static final int SLOT = 1111;
  private static final int SLOTS = 40 * THREADS;
  private static final int LENGTH = SLOT * SLOTS + 77;

  @ParameterizedTest(name = "alignment {0}, overlay {1}, copy-on-read {2}")
  @CsvSource({
    "1,false,false",
    "512,false,false",
    "4096,false,false",
    "1,true,true",
    "512,true,true"
  })
  void neighboursKeepTheirBytes(int alignment, boolean overlay, boolean copyOnRead)
      throws Exception {
    RequestPipeline pipeline =
        overlay ? overlay(alignment, copyOnRead) : file(MemoryInstance.aligned(LENGTH, alignment));
    AtomicBoolean stop = new AtomicBoolean();
    TestThread<Boolean> scanner = TestThread.run(() -> scan(pipeline, stop));
    List<TestThread<Boolean>> owners = new ArrayList<>();
    for (int i = 0; i < THREADS; i++) {
      int owner = i;
      owners.add(TestThread.run(() -> own(pipeline, owner)));
    }

    for (TestThread<Boolean> owner : owners) {
      owner.join();
    }
    stop.set(true);
    scanner.join();
    pipeline.drain();
  }

  private static RequestPipeline file(DriverInstance instance) {
    PipelineOptions options =
        PipelineOptions.writable("file").withDetectZeroes(DetectZeroesMode.UNMAP);
    return new RequestPipeline(instance, options);
  }

  private static RequestPipeline overlay(int alignment, boolean copyOnRead) {
    RequestPipeline base =
        new RequestPipeline(
            MemoryInstance.aligned(LENGTH - 20_000, 512), PipelineOptions.readOnly("base"));
    OverlayInstance overlay = new OverlayInstance(Alignment.up(LENGTH, 512), 8192, alignment);
    overlay.attachBacking(new PipelineIo(base));
    PipelineOptions options =
        PipelineOptions.writable("top")
            .withCopyOnRead(copyOnRead)
            .withDetectZeroes(DetectZeroesMode.ON);
    RequestPipeline pipeline = new RequestPipeline(overlay, options);
    pipeline.attachBacking(base);
    return pipeline;
  }

  private static void own(RequestPipeline pipeline, int owner) throws IOException {
    SplittableRandom random = new SplittableRandom(owner);
    DiskModel model = new DiskModel(LENGTH);
    for (int step = 0; step < 1500 * Images.SCALE; step++) {
      int slot = random.nextInt(SLOTS / THREADS) * THREADS + owner;
      int first = random.nextInt(SLOT);
      int length = 1 + random.nextInt(SLOT - first);
      change(pipeline, model, random, slot * SLOT + first, length);
      ByteBuffer whole = Images.read(new PipelineIo(pipeline), (long) slot * SLOT, SLOT);
      model.check(slot * SLOT, whole, "thread and seed " + owner + " step " + step);
    }
  }

  private static void change(
      RequestPipeline pipeline, DiskModel model, SplittableRandom random, int offset, int length)
      throws IOException {
    switch (random.nextInt(6)) {
      case 0 -> {
        pipeline.writeZeroes(offset, length, WriteFlags.MAY_UNMAP);
        model.writeZeroes(offset, length);
      }
      case 1 -> {
        pipeline.write(offset, ByteBuffer.allocateDirect(length), WriteFlags.NONE);
        model.writeZeroes(offset, length);
      }
      case 2 -> {
        pipeline.discard(offset, length);
        model.discard(offset, length);
      }
      case 3 -> {
        pipeline.reserve(offset, length);
        pipeline.flush();
      }
      default -> {
        ByteBuffer source = Images.bytes(length, random.nextLong());
        model.write(offset, source);
        pipeline.write(offset, source, WriteFlags.NONE);
      }
    }
  }

  private static void scan(RequestPipeline pipeline, AtomicBoolean stop) throws IOException {
    ByteBuffer target = ByteBuffer.allocateDirect(100_000);
    SplittableRandom random = new SplittableRandom(99);
    while (!stop.get()) {
      target.clear();
      pipeline.read(random.nextInt(LENGTH), target);
    }
  }

  @Test
  void checksOfTheGuardedPartSeeWhatIsThere() throws Exception {
    MemoryInstance file = MemoryInstance.ofLength(4096);
    BeforeWrite neverEqual = // the first two bytes may not both be 1
        new BeforeWrite() {
          @Override
          public void check(long offset, ByteBuffer source) throws IOException {
            int other = Images.read(file, 1 - offset, 1).get(0);
            if (other == 1 && source.get(source.position()) == 1) {
              throw new BlockException(BlockError.NOT_PERMITTED, "refused");
            }
          }

          @Override
          public void checkZeroes(long offset, long length) {}

          @Override
          public long guardedLength() {
            return 512;
          }
        };
    RequestPipeline pipeline =
        new RequestPipeline(file, PipelineOptions.writable("probed").withBeforeWrite(neverEqual));
    for (int round = 0; round < 500; round++) {
      pipeline.writeZeroes(0, 2, WriteFlags.NONE);
      TestThread<Boolean> first = TestThread.run(() -> tryOne(pipeline, 0));
      TestThread<Boolean> second = TestThread.run(() -> tryOne(pipeline, 1));
      first.join();
      second.join();
      ByteBuffer both = Images.read(file, 0, 2);
      if (both.get(0) == 1 && both.get(1) == 1) {
        throw new AssertionError("both passed the check in round " + round);
      }
    }
    assertThatThrownBy(() -> one(pipeline, 1 - firstOne(file))).hasMessage("refused");
  }

  private static int firstOne(MemoryInstance file) throws IOException {
    return Images.read(file, 0, 1).get(0) == 1 ? 0 : 1;
  }

  private static void tryOne(RequestPipeline pipeline, long offset) throws IOException {
    try {
      one(pipeline, offset);
    } catch (BlockException refused) {
      // one of the two must be
    }
  }

  private static void one(RequestPipeline pipeline, long offset) throws IOException {
    pipeline.write(offset, ByteBuffer.allocate(1).put(0, (byte) 1), WriteFlags.NONE);
  }
}
