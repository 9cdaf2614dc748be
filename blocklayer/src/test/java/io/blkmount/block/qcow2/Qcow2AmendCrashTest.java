// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.testing.CrashInstance;
import io.blkmount.block.testing.Images;
import io.blkmount.block.testing.MemoryInstance;
import io.blkmount.block.testing.PagedBytes;
import io.blkmount.block.testing.StateJudge;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Ends a change in the middle: the image is the old one or the new one, and can be changed. */
final class Qcow2AmendCrashTest {
  private static final int STATES = 15;

  @TempDir private Path folder;

  static Stream<AmendCase> cases() {
    return Stream.concat(AmendCase.all(), AmendCase.backings());
  }

  /** What a state has to be. */
  private record Expected(
      AmendCase one, PagedBytes backing, List<ByteBuffer> guest, String before, String after) {
    static Expected of(AmendCase one, PagedBytes image) throws IOException {
      MemoryInstance host = MemoryInstance.file(image.copy(), 1);
      one.amend(host);
      PagedBytes backing = one.backing();
      return new Expected(
          one,
          backing,
          AmendCase.guest(image, backing),
          AmendCase.properties(image),
          AmendCase.properties(host.content()));
    }

    void require(PagedBytes state, String said) throws IOException {
      AmendCase.requireSound(state, said);
      assertThat(AmendCase.guest(state, backing)).as(said).isEqualTo(guest);
      assertThat(AmendCase.properties(state)).as(said).isIn(before, after);
      MemoryInstance host = MemoryInstance.file(state, 1);
      one.amend(host);
      AmendCase.requireSound(host.content(), said + ", again");
      assertThat(AmendCase.guest(host.content(), backing)).as(said + ", again").isEqualTo(guest);
      assertThat(AmendCase.properties(host.content())).as(said).isEqualTo(after);
    }
  }

  @ParameterizedTest
  @MethodSource("cases")
  void aPowerCutLeavesTheOldImageOrTheNewOne(AmendCase one) throws IOException {
    PagedBytes image = Images.load(one.create(folder));
    Expected expected = Expected.of(one, image);
    CrashInstance host = new CrashInstance(image);
    one.amend(host);
    assertThat(expected.before).isNotEqualTo(expected.after);

    int states =
        StateJudge.judge(
            host.log(), expected::require, one + "", System.nanoTime(), STATES * Images.SCALE);

    assertThat(states).isPositive();
  }

  @ParameterizedTest
  @MethodSource("cases")
  void aFailureLeavesTheOldImageOrTheNewOne(AmendCase one) throws IOException {
    PagedBytes image = Images.load(one.create(folder));
    Expected expected = Expected.of(one, image);
    int step = Math.max(1, (one.clusterSize() == 512 ? 31 : 11) / Images.SCALE);

    new FailureSweep(image, step).run(one::amend, expected::require, one + "");
  }
}
