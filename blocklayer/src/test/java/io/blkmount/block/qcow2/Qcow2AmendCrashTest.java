// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.testing.CrashInstance;
import io.blkmount.block.testing.Images;
import io.blkmount.block.testing.MemoryInstance;
import io.blkmount.block.testing.PagedBytes;
import io.blkmount.block.testing.Qcow2Reader;
import io.blkmount.block.testing.StateJudge;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Ends a change in the middle: the image is the old one or the new one, and can be changed. */
final class Qcow2AmendCrashTest {
  private static final int STATES = 15;
  private static final int ATTEMPTS = 15;

  @TempDir private Path folder;

  static Stream<AmendCase> cases() {
    return Stream.of(AmendCase.all(), AmendCase.backings(), AmendCase.dataFiles())
        .flatMap(each -> each);
  }

  /**
   * What a state has to be.
   *
   * @param data file with the guest's data, or null if that is in the image
   */
  private record Expected(
      AmendCase one,
      @Nullable PagedBytes data,
      List<ByteBuffer> guest,
      String before,
      String after) {
    static Expected of(AmendCase one, PagedBytes image, Path folder) throws IOException {
      MemoryInstance host = MemoryInstance.file(image.copy(), 1);
      one.amend(host);
      PagedBytes data = one.data(folder);
      return new Expected(
          one,
          data,
          guest(one, image, data),
          AmendCase.properties(image),
          AmendCase.properties(host.content()));
    }

    private static List<ByteBuffer> guest(
        AmendCase one, PagedBytes image, @Nullable PagedBytes data) throws IOException {
      PagedBytes guestData = data == null ? image : data;
      return AmendCase.guest(new Qcow2Reader(image, guestData, one.backing()::read));
    }

    void require(PagedBytes state, String said) throws IOException {
      requireSame(state, said);
      assertThat(AmendCase.properties(state)).as(said).isIn(before, after);
      MemoryInstance host = MemoryInstance.file(state, 1);
      one.amend(host);
      requireSame(host.content(), said + ", again");
      assertThat(AmendCase.properties(host.content())).as(said).isEqualTo(after);
    }

    private void requireSame(PagedBytes image, String said) throws IOException {
      AmendCase.requireSound(image, said);
      assertThat(guest(one, image, data)).as(said).isEqualTo(guest);
    }
  }

  @ParameterizedTest
  @MethodSource("cases")
  void aPowerCutLeavesTheOldImageOrTheNewOne(AmendCase one) throws IOException {
    PagedBytes image = Images.load(one.create(folder));
    Expected expected = Expected.of(one, image, folder);
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
    Expected expected = Expected.of(one, image, folder);

    new FailureSweep(image, ATTEMPTS * Images.SCALE).run(one::amend, expected::require, one + "");
  }
}
