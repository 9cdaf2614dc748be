// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.testing;

import io.blkmount.block.testing.CrashStates.Judge;
import io.blkmount.block.testing.CrashStates.Kind;
import java.io.IOException;
import java.io.UncheckedIOException;

/** Judges states that a crash may leave each by itself, where no guest has a story to tell. */
public final class StateJudge implements Judge {
  /** What has to be true of every state. */
  public interface Check {
    /**
     * Fails unless a state is right.
     *
     * @param state the file after the crash; may be changed
     * @param said what happened, for messages
     * @throws IOException if it cannot even be read
     */
    void require(PagedBytes state, String said) throws IOException;
  }

  private final Check check;
  private final String context;
  private int states;

  private StateJudge(Check check, String context) {
    this.check = check;
    this.context = context;
  }

  /**
   * Judges some of the states that a log can leave.
   *
   * @param log what happened
   * @param check of each state
   * @param context for messages
   * @param seed of the choice
   * @param count about how many states
   * @return how many they were
   */
  public static int judge(CrashLog log, Check check, String context, long seed, int count) {
    StateJudge judge = new StateJudge(check, context + " seed " + seed);
    CrashStates.replay(log, judge, seed, count);
    return judge.states;
  }

  @Override
  public void guest(Object mark) {
    throw new AssertionError(context + ": nobody judges what a guest says: " + mark);
  }

  @Override
  public void judge(PagedBytes state, Kind kind, int position) {
    states++;
    String said = context + ", " + kind + " at event " + position;
    try {
      check.require(state, said);
    } catch (IOException e) {
      throw new UncheckedIOException(said, e);
    }
  }
}
