// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.testing.CrashStates.Judge;
import io.blkmount.block.testing.CrashStates.Kind;
import io.blkmount.block.testing.PagedBytes;
import io.blkmount.block.testing.Qcow2Reader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.util.Arrays;

/** Lets another judge look at each state, and now and then compares the internal snapshot. */
final class SnapshotJudge implements Judge {
  private static final int EVERY = 5;

  private final Judge judge;
  private final Qcow2Reader.Backing below;
  private final byte[] expected;
  private int states;

  /**
   * Creates a judge.
   *
   * @param judge who looks first
   * @param start the image before the first request, with one snapshot
   * @param below what lies below the image
   */
  SnapshotJudge(Judge judge, PagedBytes start, Qcow2Reader.Backing below) {
    this.judge = judge;
    this.below = below;
    this.expected = snapshot(start);
  }

  private byte[] snapshot(PagedBytes image) {
    try {
      Qcow2Reader reader = new Qcow2Reader(image, below).firstSnapshot();
      byte[] bytes = new byte[(int) reader.length()];
      reader.read(0, ByteBuffer.wrap(bytes));
      return bytes;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override
  public void guest(Object mark) {
    judge.guest(mark);
  }

  @Override
  public void judge(PagedBytes state, Kind kind, int position) {
    judge.judge(state, kind, position);
    if (++states % EVERY == 0) {
      boolean same = Arrays.equals(expected, snapshot(state));
      assertThat(same).as("snapshot is as it was, %s at event %d", kind, position).isTrue();
    }
  }
}
