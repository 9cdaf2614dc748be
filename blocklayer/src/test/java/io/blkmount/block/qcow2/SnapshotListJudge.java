// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.qcow2.SnapshotWorkload.Kept;
import io.blkmount.block.qcow2.SnapshotWorkload.ListChange;
import io.blkmount.block.qcow2.SnapshotWorkload.ListChanged;
import io.blkmount.block.testing.CrashStates.Judge;
import io.blkmount.block.testing.CrashStates.Kind;
import io.blkmount.block.testing.PagedBytes;
import io.blkmount.block.testing.Qcow2Layout;
import io.blkmount.block.testing.Qcow2Reader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.util.List;

/**
 * Lets another judge look at each state, and compares the internal snapshots: while their list
 * changes it is the old or the new one, with all that the snapshots hold.
 */
final class SnapshotListJudge implements Judge {
  private static final int EVERY = 7;

  private final Judge judge;
  private final Qcow2Reader.Backing below;
  private List<Kept> before = List.of();
  private List<Kept> after = List.of();
  private int states;

  SnapshotListJudge(Judge judge, Qcow2Reader.Backing below) {
    this.judge = judge;
    this.below = below;
  }

  @Override
  public void guest(Object mark) {
    if (mark instanceof ListChange change) {
      before = change.before();
      after = change.after();
    } else if (mark instanceof ListChanged) {
      before = after;
    } else {
      judge.guest(mark);
    }
  }

  @Override
  public void judge(PagedBytes state, Kind kind, int position) {
    String where = kind + " at event " + position;
    try {
      int count = Qcow2Layout.parse(state).snapshotCount();
      assertThat(count).as(where).isIn(List.of(before.size(), after.size()));
      if (++states % EVERY == 0 || before != after) {
        requireSame(state, count == before.size() ? before : after, where);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(where, e);
    }
    judge.judge(state, kind, position);
  }

  private void requireSame(PagedBytes state, List<Kept> expected, String where) throws IOException {
    Qcow2Reader disk = new Qcow2Reader(state, below);
    for (int index = 0; index < expected.size(); index++) {
      Qcow2Reader snapshot = disk.snapshot(index);
      ByteBuffer all = ByteBuffer.allocate((int) snapshot.length());
      snapshot.read(0, all);
      assertThat(SnapshotWorkload.values(all.flip()).equals(expected.get(index).values()))
          .as("%s: snapshot %d is as it was", where, index)
          .isTrue();
    }
  }
}
