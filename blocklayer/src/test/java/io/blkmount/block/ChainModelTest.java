// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.backend.BlockBackend;
import io.blkmount.block.driver.BackingReference;
import io.blkmount.block.driver.CreateOptions;
import io.blkmount.block.driver.DetectZeroesMode;
import io.blkmount.block.driver.DiscardMode;
import io.blkmount.block.driver.Extent;
import io.blkmount.block.driver.Preallocation;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import io.blkmount.block.open.CacheMode;
import io.blkmount.block.open.OpenOptions;
import io.blkmount.block.testing.DiskModel;
import io.blkmount.block.testing.Images;
import io.blkmount.block.testing.QemuImg;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Random requests on random chains of three layers, held against a plain array. */
final class ChainModelTest {
  private static final int STEPS = 150;
  private static final int PIECE = 3000;

  @TempDir Path directory;

  @ParameterizedTest(name = "seed {0}")
  @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12})
  void everyRequestAgreesWithThePlainArray(long seed) throws IOException {
    for (int round = 0; round < Images.SCALE; round++) {
      SplittableRandom random = new SplittableRandom(seed + 1000L * round);
      DiskModel model = createChain(random);
      OpenOptions options = randomOptions(random);
      String context = "seed " + (seed + 1000L * round) + " " + options;
      DiskModel shown = options.snapshot() ? copyOf(model) : model;
      try (BlockBackend disk = BlockLayer.open(options)) {
        for (int step = 0; step < STEPS; step++) {
          randomStep(disk, shown, random, context + " step " + step);
        }
        check(disk, shown, 0, shown.length(), context);
      }
      requireStored(model, context);
    }
  }

  /** A raw base of any length, a middle and a top with clusters of their own. */
  private DiskModel createChain(SplittableRandom random) throws IOException {
    byte[] base = DiskModel.pattern(random.nextInt(1, 600_000), random.nextLong());
    Arrays.fill(base, base.length / 3, base.length / 2, (byte) 0);
    Files.write(directory.resolve("base"), base);
    int middleLength = 512 * random.nextInt(1, 1500);
    int length = 512 * random.nextInt(600, 2000);
    DiskModel model = new DiskModel(length);
    model.write(0, ByteBuffer.wrap(base, 0, Math.min(base.length, Math.min(middleLength, length))));
    create("middle", middleLength, "base", "raw", random);
    byte[] some = DiskModel.pattern(middleLength / 3 + 1, random.nextLong());
    try (BlockBackend middle = BlockLayer.open(options("middle"))) {
      middle.write(middleLength / 4, ByteBuffer.wrap(some));
    }
    int shown = Math.max(0, Math.min(some.length, length - middleLength / 4));
    model.write(Math.min(length, middleLength / 4), ByteBuffer.wrap(some, 0, shown));
    create("top", length, "middle", "qcow2", random);
    return model;
  }

  private void create(String name, long length, String base, String format, SplittableRandom random)
      throws IOException {
    Map<String, String> values =
        random.nextInt(3) == 0
            ? Map.of(
                "cluster_size", String.valueOf(16384 << random.nextInt(3)), "extended_l2", "on")
            : Map.of(
                "cluster_size",
                String.valueOf(512 << random.nextInt(9)),
                "compat",
                random.nextInt(3) == 0 ? "0.10" : "1.1");
    BackingReference backing = new BackingReference(base, format);
    BlockLayer.create(
        directory.resolve(name).toString(), "qcow2", new CreateOptions(length, backing, values));
  }

  private OpenOptions options(String name) {
    return OpenOptions.of(directory.resolve(name).toString());
  }

  private OpenOptions randomOptions(SplittableRandom random) {
    return options("top")
        .withImageOption("compress", random.nextInt(3) == 0 ? "on" : "off")
        .withResizable(random.nextBoolean())
        .withCache(CacheMode.values()[random.nextInt(CacheMode.values().length)])
        .withDiscard(DiscardMode.values()[random.nextInt(2)])
        .withDetectZeroes(DetectZeroesMode.values()[random.nextInt(3)])
        .withCopyOnRead(random.nextBoolean())
        .withSnapshot(random.nextInt(4) == 0);
  }

  private static DiskModel copyOf(DiskModel model) {
    DiskModel copy = new DiskModel(model.length());
    copy.write(0, ByteBuffer.wrap(model.bytes(0, model.length())));
    return copy;
  }

  private static void randomStep(
      BlockBackend disk, DiskModel model, SplittableRandom random, String context)
      throws IOException {
    if (disk.resizable() && random.nextInt(12) == 0) {
      int newLength = 512 * random.nextInt(1, 2000);
      model.truncate(newLength);
      disk.truncate(newLength, Preallocation.OFF);
    }
    int offset = random.nextInt(model.length());
    int length = Math.min(model.length() - offset, random.nextInt(1, 1 << random.nextInt(1, 18)));
    switch (random.nextInt(10)) {
      case 0, 1, 2 -> {
        boolean zeros = random.nextInt(4) == 0;
        ByteBuffer bytes =
            zeros ? ByteBuffer.allocate(length) : Images.bytes(length, random.nextLong());
        model.write(offset, bytes);
        disk.write(offset, bytes);
      }
      case 3, 4, 5 -> check(disk, model, offset, length, context);
      case 6 -> {
        model.writeZeroes(offset, length);
        disk.writeZeroes(offset, length, random.nextBoolean());
      }
      case 7 -> {
        model.discard(offset, length);
        disk.discard(offset, length);
      }
      case 8 -> {
        reserve(disk, offset, length);
        disk.flush();
      }
      default -> checkExtent(disk, model, offset, length, context);
    }
  }

  /** Where everything is compressed no space can be promised. */
  private static void reserve(BlockBackend disk, int offset, int length) throws IOException {
    try {
      disk.reserve(offset, length);
    } catch (BlockException e) {
      assertThat(e.error()).isEqualTo(BlockError.NOT_SUPPORTED);
    }
  }

  private static void check(
      BlockBackend disk, DiskModel model, int offset, int length, String context)
      throws IOException {
    ByteBuffer target = ByteBuffer.allocateDirect(length);
    disk.read(offset, target);
    model.check(offset, target.flip(), context);
  }

  private static void checkExtent(
      BlockBackend disk, DiskModel model, int offset, int length, String context)
      throws IOException {
    Extent extent = disk.extentAt(offset, length);
    assertThat(extent.offset()).as(context).isEqualTo(offset);
    assertThat(extent.length()).as(context).isBetween(1L, (long) length);
    if (extent.readsAsZero()) {
      ByteBuffer zeros = ByteBuffer.allocate((int) extent.length());
      model.check(offset, zeros, context + " " + extent);
    }
  }

  private void requireStored(DiskModel model, String context) throws IOException {
    QemuImg.requireClean(directory.resolve("top"), context);
    try (BlockBackend disk = BlockLayer.open(options("top").withReadOnly(true))) {
      check(disk, model, 0, model.length(), context);
    }
    Path raw = directory.resolve("expected");
    Files.write(raw, model.bytes(0, model.length()));
    QemuImg.requireSame(directory.resolve("top"), raw, context);
  }

  @ParameterizedTest(name = "seed {0}")
  @ValueSource(longs = {1, 2, 3})
  void imageThatIsClosedUnderLoadIsCleanAndHoldsWhatWasAnswered(long seed) throws Exception {
    SplittableRandom random = new SplittableRandom(seed);
    DiskModel model = createChain(random);
    BlockBackend disk = BlockLayer.open(options("top").withCopyOnRead(true));
    int share = model.length() / 4;
    CountDownLatch busy = new CountDownLatch(4);
    ExecutorService pool = Executors.newFixedThreadPool(4);
    List<Future<Integer>> writers = new ArrayList<>();
    for (int i = 0; i < 4; i++) {
      int start = i * share;
      writers.add(pool.submit(() -> writeUntilClosed(disk, start, share, busy)));
    }
    busy.await();
    disk.close();

    for (int i = 0; i < 4; i++) {
      int count = writers.get(i).get();
      for (int piece = Math.max(0, count - share / PIECE); piece < count; piece++) {
        model.write(pieceOffset(i * share, share, piece), Images.bytes(PIECE, piece));
      }
    }
    pool.shutdown();
    requireStored(model, "seed " + seed);
  }

  private static int pieceOffset(int start, int share, int piece) {
    return start + piece % (share / PIECE) * PIECE;
  }

  /** Returns how many pieces were answered; the next one was refused whole. */
  private static int writeUntilClosed(BlockBackend disk, int start, int share, CountDownLatch busy)
      throws IOException {
    for (int piece = 0; ; piece++) {
      try {
        disk.write(pieceOffset(start, share, piece), Images.bytes(PIECE, piece));
      } catch (BlockException e) {
        assertThat(e.error()).isEqualTo(BlockError.NO_MEDIUM);
        return piece;
      }
      if (piece == 20) {
        busy.countDown();
      }
    }
  }
}
