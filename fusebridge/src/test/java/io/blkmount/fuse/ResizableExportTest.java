// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.backend.BlockBackend;
import io.blkmount.block.testing.DiskModel;
import io.blkmount.block.testing.Images;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.RepetitionInfo;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A disk that behaves as a plain file. */
@Timeout(60)
final class ResizableExportTest {
  private static final int LENGTH = 1 << 16;
  private static final int STEPS = 500;

  @TempDir Path folder;
  private BlockBackend disk;
  private Export export;

  @BeforeEach
  void openDisk() throws IOException {
    disk = RawDisks.openResizable(RawDisks.create(folder.resolve("disk.img"), LENGTH));
    export = Export.of(disk);
  }

  @AfterEach
  void closeDisk() throws IOException {
    disk.close();
  }

  private ByteBuffer read(long offset, int length) throws IOException {
    ByteBuffer target = ByteBuffer.allocateDirect(length);
    int count = export.read(offset, target);
    assertThat(count).isEqualTo(target.position());
    return target.flip();
  }

  @Test
  void truncateAtOpenEmptiesIt() throws IOException {
    export.open(OpenFlags.WRITE_ONLY | OpenFlags.TRUNCATE);

    assertThat(disk.length()).isZero();
  }

  @Test
  void writePastTheEndGrowsOverZeros() throws IOException {
    int count = export.write(LENGTH + 1000, Images.bytes(10, 1));

    assertThat(count).isEqualTo(10);
    assertThat(disk.length()).isEqualTo(LENGTH + 1010);
    assertThat(read(LENGTH, 1000)).isEqualTo(ByteBuffer.allocate(1000));
    assertThat(read(LENGTH + 1000, 100)).isEqualTo(Images.bytes(10, 1));
  }

  @Test
  void emptyWritePastTheEndDoesNotGrow() throws IOException {
    assertThat(export.write(2L * LENGTH, ByteBuffer.allocate(0))).isZero();

    assertThat(disk.length()).isEqualTo(LENGTH);
  }

  @Test
  void allocationPastTheEndGrowsUnlessTheSizeIsKept() throws IOException {
    export.allocate(AllocationMode.PUNCH_HOLE | AllocationMode.KEEP_SIZE, LENGTH, 100);
    export.allocate(AllocationMode.ZERO_RANGE | AllocationMode.KEEP_SIZE, LENGTH - 1, 100);
    assertThat(disk.length()).isEqualTo(LENGTH);

    export.allocate(0, LENGTH, 512);
    assertThat(disk.length()).isEqualTo(LENGTH + 512);

    export.allocate(AllocationMode.ZERO_RANGE, 0, LENGTH + 1024);
    assertThat(disk.length()).isEqualTo(LENGTH + 1024);
  }

  @RepeatedTest(20)
  void behavesAsAnArrayThatGrowsAndShrinks(RepetitionInfo info) throws IOException {
    long seed = info.getCurrentRepetition();
    SplittableRandom random = new SplittableRandom(seed);
    DiskModel model = new DiskModel(LENGTH);

    for (int step = 0; step < STEPS; step++) {
      int offset = random.nextInt(model.length() + 2000);
      int length = 1 + random.nextInt(3000);
      switch (random.nextInt(5)) {
        case 0 -> truncate(model, offset);
        case 1 -> zero(model, offset, length);
        default -> write(model, offset, Images.bytes(length, random.nextLong()));
      }
      ByteBuffer content = read(0, model.length() + 1);
      assertThat(content.remaining()).isEqualTo(model.length());
      model.check(0, content, "seed " + seed + " step " + step);
    }
  }

  private void truncate(DiskModel model, int length) throws IOException {
    export.setLength(length);
    model.truncate(length);
  }

  private void zero(DiskModel model, int offset, int length) throws IOException {
    export.allocate(AllocationMode.ZERO_RANGE, offset, length);
    if (offset + length > model.length()) {
      model.truncate(offset + length);
    }
    model.writeZeroes(offset, length);
  }

  private void write(DiskModel model, int offset, ByteBuffer source) throws IOException {
    model.write(offset, source.duplicate());
    assertThat(export.write(offset, source.duplicate())).isEqualTo(source.remaining());
  }

  /** Without the size lock a write finds the disk shorter than it has just been made. */
  @Test
  void writersAndTruncatersAtOnceNeverFail() throws Exception {
    ExecutorService threads = Executors.newFixedThreadPool(4);
    try {
      List<Callable<Void>> tasks = new ArrayList<>();
      for (int seed = 0; seed < 4; seed++) {
        SplittableRandom random = new SplittableRandom(seed);
        tasks.add(() -> changeSize(random));
      }
      for (Future<Void> result : threads.invokeAll(tasks)) {
        result.get();
      }
    } finally {
      threads.shutdown();
    }
  }

  private Void changeSize(SplittableRandom random) throws IOException {
    for (int step = 0; step < STEPS; step++) {
      int offset = random.nextInt(2 * LENGTH);
      switch (random.nextInt(4)) {
        case 0 -> export.setLength(offset);
        case 1 -> export.read(offset, ByteBuffer.allocateDirect(4096));
        default -> export.write(offset, Images.bytes(512, step));
      }
    }
    return null;
  }
}
