// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.driver.Extent;
import io.blkmount.block.testing.Images;
import io.blkmount.block.testing.MemoryInstance;
import io.blkmount.block.testing.PagedBytes;
import io.blkmount.block.testing.Qcow2Checker;
import io.blkmount.block.testing.Qcow2Reader;
import io.blkmount.block.testing.SectorPattern;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Eight guest threads, each owning every eighth sector in one half of the disk and every eighth
 * cluster in the other: what one writes, zeroes or discards must never touch what another owns.
 */
final class Qcow2StressTest {
  private static final int THREADS = 8;
  private static final int REQUESTS = 400;

  static Stream<ImageShape> shapes() {
    return Stream.of(
        ImageShape.of(512, 1 << 20),
        ImageShape.of(4096, 4 << 20).withBacking(3 << 20),
        ImageShape.of(65536, 8 << 20).withBacking(8 << 20),
        ImageShape.of(4096, 4 << 20).withVersion2().withBacking(2 << 20),
        ImageShape.of(512, 1 << 20).withRefcountBits(64),
        ImageShape.of(16384, 4 << 20).withExtendedL2().withBacking(3 << 20),
        ImageShape.of(65536, 8 << 20).withExtendedL2());
  }

  @ParameterizedTest
  @MethodSource("shapes")
  void threadsDoNotDisturbEachOther(ImageShape shape) throws Exception {
    for (long seed = 1; seed <= Images.SCALE; seed++) {
      TestImage.Options options =
          seed % 2 == 0 ? TestImage.Options.DEFAULT : TestImage.Options.SMALL_CACHES;
      run(shape, options.withUnusual(shape.clusterSize(), seed), seed);
    }
  }

  private static void run(ImageShape shape, TestImage.Options options, long seed) throws Exception {
    PagedBytes backing = shape.hasBacking() ? StressGuest.backing(shape.backingLength()) : null;
    run(shape, shape.create(), backing, options, seed);
  }

  /** What the guests find at first is the image's own, and compressed. */
  @ParameterizedTest
  @ValueSource(
      strings = {
        "cluster_size=4096",
        "cluster_size=65536",
        "cluster_size=65536,compression_type=zstd",
        "cluster_size=4096,compat=0.10",
        "cluster_size=65536,extended_l2=on",
      })
  void threadsDoNotDisturbEachOtherInCompressedClusters(String options) throws Exception {
    int clusterSize = options.contains("4096") ? 4096 : 65536;
    ImageShape empty = ImageShape.of(clusterSize, 64 * clusterSize);
    ImageShape shape = empty.withBacking(empty.length());
    PagedBytes content = CompressedImages.of(StressGuest.backing(empty.length()), options);
    for (long seed = 1; seed <= Images.SCALE; seed++) {
      run(shape, content.copy(), null, TestImage.Options.SMALL_CACHES, seed);
      run(shape, content.copy(), null, TestImage.Options.DEFAULT.withCompress(true), seed);
    }
  }

  private static void run(
      ImageShape shape,
      PagedBytes content,
      @Nullable PagedBytes backing,
      TestImage.Options options,
      long seed)
      throws Exception {
    MemoryInstance host = MemoryInstance.file(content, seed % 3 == 0 ? 1 : 4096);
    List<StressGuest> guests = new ArrayList<>();
    try (TestImage image = TestImage.open(host, backing, options)) {
      for (int thread = 0; thread < THREADS; thread++) {
        guests.add(new StressGuest(image.io(), shape, thread, THREADS, seed));
      }
      runAll(image, guests);
      for (StressGuest guest : guests) {
        guest.checkAll();
      }
    }
    assertThat(Qcow2Checker.check(host.content()))
        .matches(Qcow2Checker.Findings::isClean, shape + " seed " + seed);
    Qcow2Reader reader =
        new Qcow2Reader(host.content(), (backing == null ? new PagedBytes(0) : backing)::read);
    for (StressGuest guest : guests) {
      guest.checkAll(reader);
    }
  }

  private static void runAll(TestImage image, List<StressGuest> guests) throws Exception {
    AtomicBoolean done = new AtomicBoolean();
    ExecutorService pool = Executors.newFixedThreadPool(THREADS + 1);
    try {
      Future<Void> scanner = pool.submit(() -> scan(image, done));
      List<Callable<Void>> tasks = new ArrayList<>();
      guests.forEach(guest -> tasks.add(() -> guest.run(REQUESTS)));
      for (Future<Void> task : pool.invokeAll(tasks)) {
        assertThat(task.get()).isNull();
      }
      done.set(true);
      assertThat(scanner.get()).isNull();
    } finally {
      done.set(true);
      pool.shutdown();
    }
  }

  /** Asks for block status all the time, as a backup tool does beside a running guest. */
  private static Void scan(TestImage image, AtomicBoolean done) throws IOException {
    while (!done.get()) {
      long length = image.io().length();
      for (long at = 0; at < length; ) {
        Extent extent = image.io().extentAt(at, length - at);
        at = extent.end();
      }
      assertThat(image.io().length() % SectorPattern.SECTOR).isZero();
    }
    return null;
  }
}
