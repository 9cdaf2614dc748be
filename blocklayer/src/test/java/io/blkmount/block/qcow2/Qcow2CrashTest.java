// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.blkmount.block.testing.CrashJudge;
import io.blkmount.block.testing.CrashLog;
import io.blkmount.block.testing.Images;
import io.blkmount.block.testing.Qcow2Checker;
import java.io.IOException;
import java.util.Set;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Cuts the power under the driver: of the states that a crash could leave, none may have a broken
 * structure, miss a sector that a flush made durable, or show a sector's data in another. {@code
 * -Dblkmount.tests.scale=45} judges half a million of them; how many there were is logged.
 */
final class Qcow2CrashTest {
  private static final int MIB = 1 << 20;
  private static final int REQUESTS = 400;
  private static final int STATES = 200;
  private static final AtomicLong JUDGED = new AtomicLong();

  @AfterAll
  static void sayHowMany() {
    System.getLogger(Qcow2CrashTest.class.getName())
        .log(System.Logger.Level.INFO, "crash states judged: {0}", JUDGED.get());
  }

  static Stream<ImageShape> shapes() {
    ImageShape small = ImageShape.of(512, MIB);
    ImageShape medium = ImageShape.of(4096, 2 * MIB);
    ImageShape large = ImageShape.of(65536, 4 * MIB);
    ImageShape extended = ImageShape.of(16384, 2 * MIB).withExtendedL2();
    return Stream.of(
        small,
        small.withRefcountBits(1),
        small.withRefcountBits(64).withBacking(MIB),
        small.withVersion2().withBacking(MIB / 2),
        medium,
        medium.withBacking(3 * MIB),
        medium.withVersion2(),
        medium.withRefcountBits(64),
        large.withBacking(4 * MIB),
        large.withRefcountBits(1).withBacking(MIB + 512),
        large.withVersion2().withBacking(4 * MIB),
        small.withSnapshot(),
        medium.withRefcountBits(2).withBacking(3 * MIB).withSnapshot(),
        large.withSnapshot(),
        small.withCompression("zlib").withSnapshot(),
        medium.withCompression("zstd").withRefcountBits(2).withBacking(3 * MIB),
        medium.withVersion2().withCompression("zlib"),
        large.withCompression("zlib").withRefcountBits(8),
        extended,
        extended.withBacking(3 * MIB),
        extended.withRefcountBits(64).withSnapshot(),
        extended.withCompression("zlib").withBacking(MIB),
        large.withExtendedL2().withBacking(MIB + 512).withSnapshot(),
        medium.withEncryption("luks"),
        large.withBacking(4 * MIB).withEncryption("luks"),
        extended.withSnapshot().withEncryption("luks"),
        small.withSnapshot().withEncryption("aes"),
        small.withBitmaps(),
        medium.withRefcountBits(1).withBacking(3 * MIB).withBitmaps(),
        large.withExtendedL2().withCompression("zstd").withSnapshot().withBitmaps());
  }

  @ParameterizedTest
  @MethodSource("shapes")
  void noCrashLosesWhatWasFlushed(ImageShape shape) throws IOException {
    for (long seed = 1; seed <= Images.SCALE; seed++) {
      CrashRun run = new CrashRun(shape, seed).withOptions(options(shape, seed));
      requireSound(run, run.run(REQUESTS).judge(STATES), CrashFloor.REQUESTS);
    }
  }

  /** Small caches every other time; what else there is depends on the shape. */
  private static TestImage.Options options(ImageShape shape, long seed) {
    TestImage.Options some =
        seed % 2 == 0 ? TestImage.Options.SMALL_CACHES : TestImage.Options.DEFAULT;
    return some.withUnusual(shape.clusterSize(), seed + shape.refcountBits());
  }

  @ParameterizedTest
  @MethodSource("shapes")
  void noCrashLosesWhatWasFlushedByManyThreads(ImageShape shape) throws IOException {
    for (long seed = 1; seed <= Images.SCALE; seed++) {
      CrashRun run = new CrashRun(shape, seed);
      requireSound(run, run.runThreads(4, REQUESTS).judge(STATES), CrashFloor.REQUESTS);
    }
  }

  @ParameterizedTest
  @MethodSource("shapes")
  void noCrashLosesWhatWasFlushedInWholeBlocks(ImageShape shape) throws IOException {
    for (long seed = 1; seed <= Images.SCALE; seed++) {
      CrashRun run = new CrashRun(shape, seed, 4096);
      CrashJudge judge = run.runThreads(2, REQUESTS / 2).judge(STATES / 2);
      requireSound(run, judge, CrashFloor.WHOLE_BLOCKS);
    }
  }

  private static void requireSound(CrashRun run, CrashJudge judge, CrashFloor floor) {
    assertThat(judge.wrong()).as(run + ": " + judge).isZero();
    floor.require(judge.states());
    JUDGED.addAndGet(judge.states());
    assertThat(Qcow2Checker.check(run.content()))
        .matches(Qcow2Checker.Findings::isClean, run + " after close");
  }

  // Negative controls: the same judge must see what a broken driver or a lying disk does.

  private final CrashRun run = new CrashRun(ImageShape.of(512, MIB), 7);

  @Test
  void judgeCatchesADroppedFlush() throws IOException {
    CrashLog log = run.run(REQUESTS / 3).log(); // each state replays all that was not flushed

    requireCaught(log.withoutFlushes(number -> true));
    requireCaught(log.withoutFlushes(number -> number % 2 == 0));
    requireCaught(log.withoutFlushes(number -> number % 2 == 1));
  }

  @Test
  void judgeCatchesRefcountsWrittenAfterL2() throws IOException {
    CrashLog log = run.run(REQUESTS).log();
    Set<Long> blocks = MetadataClusters.refcountBlocks(run.content());

    requireCaught(log.withDelayed(offset -> blocks.contains(offset & -512)));
  }

  @Test
  void judgeCatchesDataWrittenAfterL2() throws IOException {
    CrashLog log = run.run(REQUESTS).log();
    Set<Long> metadata = MetadataClusters.all(run.content());

    requireCaught(log.withDelayed(offset -> !metadata.contains(offset & -512)));
  }

  @Test
  void judgeCatchesATornHeader() throws IOException {
    CrashLog log = run.run(REQUESTS).log();

    requireCaught(log.withTornHeader());
    CrashJudge honest = run.judge(log, 5 * STATES);
    assertThat(honest.wrong()).as(run + ": " + honest).isZero();
  }

  @Test
  void judgeCatchesReuseBeforeTheFlush() throws IOException {
    CrashLog log = run.withFault(Qcow2CrashTest::freeAtOnce).run(REQUESTS).log();

    requireCaught(log);
  }

  @Test
  void judgeCatchesABitmapThatIsNotInUseInTime() throws IOException {
    CrashRun marked = new CrashRun(ImageShape.of(512, MIB).withBitmaps(), 7);
    CrashLog log = marked.run(REQUESTS).log();

    marked.judgeBitmaps(log, 5 * STATES);
    assertThatThrownBy(() -> marked.judgeBitmaps(log.withoutFlushes(number -> true), 20 * STATES))
        .isInstanceOf(AssertionError.class)
        .hasMessageContaining("changed and is not marked");
  }

  /** Frees what was dropped although the entries that pointed there are still on the disk. */
  private static void freeAtOnce(TestImage image) throws IOException {
    Qcow2Image driver = (Qcow2Image) image.driver();
    FreedClusters freed = driver.parts().freed();
    driver.metadata().lock().lock();
    try {
      freed.becameDurable(freed.takeFresh());
    } finally {
      driver.metadata().lock().unlock();
    }
    freed.reclaim();
  }

  private void requireCaught(CrashLog log) {
    CrashJudge judge = run.judge(log, 2 * STATES);
    assertThat(judge.wrong()).as(run + ": " + judge).isPositive();
  }
}
