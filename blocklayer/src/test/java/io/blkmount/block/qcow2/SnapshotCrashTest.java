// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.testing.CrashJudge;
import io.blkmount.block.testing.CrashLog;
import io.blkmount.block.testing.Images;
import io.blkmount.block.testing.Qcow2Checker;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Cuts the power while internal snapshots are taken, applied and deleted: the disk and the list are
 * what they were or what they shall be, no structure is broken, and no sector is lost.
 */
final class SnapshotCrashTest {
  private static final int MIB = 1 << 20;
  private static final int REQUESTS = 300;
  private static final int STATES = 300;

  static Stream<ImageShape> shapes() {
    ImageShape small = ImageShape.of(512, MIB / 2);
    ImageShape medium = ImageShape.of(4096, MIB);
    return Stream.of(
        small,
        small.withRefcountBits(64).withBacking(MIB / 4),
        medium,
        medium.withRefcountBits(8).withBacking(MIB),
        ImageShape.of(65536, 2 * MIB),
        ImageShape.of(16384, 2 * MIB).withExtendedL2());
  }

  @ParameterizedTest
  @MethodSource("shapes")
  void noCrashLosesWhatWasFlushedOrKept(ImageShape shape) throws IOException {
    for (long seed = 1; seed <= Images.SCALE; seed++) {
      CrashRun run = new CrashRun(shape, seed, seed % 3 == 0 ? 4096 : 1).withSnapshots();
      run.withOptions(TestImage.Options.DEFAULT.withUnusual(shape.clusterSize(), seed));
      CrashJudge judge = run.run(REQUESTS).judge(STATES);
      assertThat(judge.wrong()).as(run + ": " + judge).isZero();
      CrashFloor.SNAPSHOTS.require(judge.states());
      assertThat(Qcow2Checker.check(run.content()))
          .matches(Qcow2Checker.Findings::isClean, run + " after close");
    }
  }

  /** The same judges must see a disk that lies. */
  @Test
  void judgeCatchesADroppedFlush() throws IOException {
    CrashRun run = new CrashRun(ImageShape.of(512, MIB / 2), 7).withSnapshots();
    CrashLog log = run.run(REQUESTS).log();

    assertThat(isCaught(run, log.withoutFlushes(number -> true))).isTrue();
    assertThat(isCaught(run, log.withTornHeader())).isTrue();
  }

  private static boolean isCaught(CrashRun run, CrashLog log) {
    try {
      return run.judgeAll(log, 5 * STATES).wrong() > 0;
    } catch (AssertionError | UncheckedIOException caught) {
      return true;
    }
  }
}
