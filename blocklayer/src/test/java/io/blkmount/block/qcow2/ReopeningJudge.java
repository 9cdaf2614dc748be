// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.bytes.Zeroes;
import io.blkmount.block.driver.Preallocation;
import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.testing.CrashJudge;
import io.blkmount.block.testing.CrashStates.Judge;
import io.blkmount.block.testing.CrashStates.Kind;
import io.blkmount.block.testing.Images;
import io.blkmount.block.testing.MemoryInstance;
import io.blkmount.block.testing.PagedBytes;
import io.blkmount.block.testing.Qcow2Checker;
import java.io.IOException;
import java.io.UncheckedIOException;
import org.jspecify.annotations.Nullable;

/** Lets another judge look at each state, and now and then the driver work on with one. */
final class ReopeningJudge implements Judge {
  private static final int EVERY = 30;
  private static final int GROWTH = 1 << 20;

  private final CrashJudge judge;
  private final @Nullable PagedBytes backing;

  ReopeningJudge(CrashJudge judge, @Nullable PagedBytes backing) {
    this.judge = judge;
    this.backing = backing;
  }

  @Override
  public void guest(Object mark) {
    judge.guest(mark);
  }

  @Override
  public void judge(PagedBytes state, Kind kind, int position) {
    int wrong = judge.wrong();
    judge.judge(state, kind, position);
    if (judge.states() % EVERY == 0 && judge.wrong() == wrong) {
      workOn(state, kind + " at event " + position);
    }
  }

  /** Makes the disk longer: what a lost shrink left behind must not come back. */
  private static void growth(TestImage image, String where) throws IOException {
    long length = image.io().length();
    image.pipeline().truncate(length + GROWTH, Preallocation.OFF);
    assertThat(Zeroes.isZero(Images.read(image.io(), length, GROWTH)))
        .as("new part reads as zeros, grown after " + where)
        .isTrue();
  }

  /** Zeroes every other 8 KiB, which frees, allocates and copies. */
  private void workOn(PagedBytes state, String where) {
    MemoryInstance host = MemoryInstance.file(state.copy(), 1);
    try (TestImage image = TestImage.open(host, backing)) {
      growth(image, where);
      for (long at = 0; at + 8192 <= image.io().length(); at += 16384) {
        image.io().writeZeroes(at, 8192, WriteFlags.MAY_UNMAP);
        image.io().write(at + 512, Zeroes.buffer(1024), WriteFlags.NONE);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(where, e);
    }
    assertThat(Qcow2Checker.check(host.content()))
        .matches(Qcow2Checker.Findings::isConsistent, "still sound after work on " + where);
  }
}
