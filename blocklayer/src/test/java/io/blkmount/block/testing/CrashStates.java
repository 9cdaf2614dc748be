// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.testing;

import io.blkmount.block.testing.CrashLog.Event;
import io.blkmount.block.testing.CrashLog.Flush;
import io.blkmount.block.testing.CrashLog.Mark;
import io.blkmount.block.testing.CrashLog.Write;
import io.blkmount.block.testing.CrashLog.Zero;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.IntPredicate;

/**
 * Builds from a log the states that a crash may leave: all that a completed flush covers, plus some
 * of what came later. A kill of the process leaves a prefix; a loss of power leaves any subset, and
 * of the sectors of one write any subset too.
 */
public final class CrashStates {
  /** How a state was made. */
  public enum Kind {
    /** All operations up to a point. */
    PREFIX,
    /** All pending operations but one. */
    DROP_ONE,
    /** One pending operation alone. */
    KEEP_ONE,
    /** A random part of the pending operations. */
    SUBSET,
    /** Some units of one operation, and all before it or all others. */
    TORN
  }

  /** Who looks at the states. */
  public interface Judge {
    /**
     * Follows the guest.
     *
     * @param mark what {@link CrashInstance#mark} was given
     */
    void guest(Object mark);

    /**
     * Looks at a state.
     *
     * @param state the file after the crash; the judge may change it
     * @param kind how it was made
     * @param position in the log
     */
    void judge(PagedBytes state, Kind kind, int position);
  }

  private static final double[] DENSITIES = {0.1, 0.5, 0.9};

  private final CrashLog log;
  private final Judge judge;
  private final SplittableRandom random;
  private final double rate;
  private final PagedBytes durable;
  private final List<Integer> pending = new ArrayList<>();

  private CrashStates(CrashLog log, Judge judge, SplittableRandom random, double rate) {
    this.log = log;
    this.judge = judge;
    this.random = random;
    this.rate = rate;
    this.durable = log.start().copy();
  }

  /**
   * Replays a log.
   *
   * @param log what happened
   * @param judge sees about {@code count} states, spread evenly
   * @param seed of the choice
   * @param count how many states are wanted
   */
  public static void replay(CrashLog log, Judge judge, long seed, int count) {
    double rate = count / (double) Math.max(1, candidates(log));
    new CrashStates(log, judge, new SplittableRandom(seed), rate).run();
  }

  /** Returns how many states {@link #run} makes at rate 1. */
  private static long candidates(CrashLog log) {
    long candidates = 0;
    long pending = 0;
    for (int position = 0; position < log.events().size(); position++) {
      Event event = log.events().get(position);
      if (event instanceof Flush) {
        candidates += 4 * pending + 3;
        pending -= log.settledBy(position);
      } else if (event instanceof Mark) {
        candidates++;
      } else {
        candidates += 2;
        pending++;
      }
    }
    return candidates;
  }

  private void run() {
    for (int position = 0; position < log.events().size(); position++) {
      Event event = log.events().get(position);
      if (event instanceof Mark mark) {
        judge.guest(mark.what());
        subset(position);
      } else if (event instanceof Flush) {
        atFlush(position);
        settle(position);
      } else {
        pending.add(position);
        if (chance()) {
          emit(Kind.PREFIX, position, index -> true);
        }
        subset(position);
      }
    }
  }

  private boolean chance() {
    return random.nextDouble() < rate;
  }

  private void subset(int position) {
    for (double more = rate; more > 0; more--) {
      if (!pending.isEmpty() && random.nextDouble() < more) {
        double density = DENSITIES[random.nextInt(DENSITIES.length)];
        emit(Kind.SUBSET, position, index -> random.nextDouble() < density);
      }
    }
  }

  private void atFlush(int position) {
    for (int i = 0; i < pending.size(); i++) {
      int chosen = i;
      if (chance()) {
        emit(Kind.DROP_ONE, position, index -> index != chosen);
      }
      if (chance()) {
        emit(Kind.KEEP_ONE, position, index -> index == chosen);
      }
      torn(position, chosen);
    }
    for (int i = 0; i < 3; i++) {
      subset(position);
    }
  }

  private void emit(Kind kind, int position, IntPredicate keep) {
    judge.judge(state(pending.size(), keep), kind, position);
  }

  private PagedBytes state(int count, IntPredicate keep) {
    PagedBytes state = durable.copy();
    for (int i = 0; i < count; i++) {
      if (keep.test(i)) {
        CrashLog.apply(log.events().get(pending.get(i)), state);
      }
    }
    return state;
  }

  /** Emits states in which one write was torn: first half, second half, every other unit. */
  private void torn(int position, int index) {
    Write write = asWrite(log.events().get(pending.get(index)));
    int granule = log.granule(write.offset());
    int units = (write.data().length + granule - 1) / granule;
    IntPredicate[] shapes = {
      unit -> unit < units / 2, unit -> unit >= units / 2, unit -> (unit & 1) == 1
    };
    // Two of the three, as candidates() counts them; the few small ones are why they are asked for.
    double chance = granule < CrashLog.SECTOR ? 1 : rate * 2 / 3;
    for (IntPredicate shape : shapes) {
      if (units > 1 && random.nextDouble() < chance) {
        boolean rest = random.nextBoolean();
        PagedBytes state = state(rest ? pending.size() : index, at -> at != index);
        tear(state, write, granule, shape);
        judge.judge(state, Kind.TORN, position);
      }
    }
  }

  /** Returns what an event did to the bytes, apart from the length of the file. */
  private static Write asWrite(Event event) {
    if (event instanceof Zero zero) {
      return new Write(zero.offset(), new byte[Math.toIntExact(zero.length())]);
    }
    return event instanceof Write write ? write : new Write(0, new byte[0]);
  }

  private static void tear(PagedBytes state, Write write, int granule, IntPredicate keep) {
    byte[] data = write.data();
    for (int unit = 0, at = 0; at < data.length; unit++, at += granule) {
      if (keep.test(unit)) {
        int length = Math.min(granule, data.length - at);
        state.write(write.offset() + at, ByteBuffer.wrap(data, at, length));
      }
    }
  }

  private void settle(int flush) {
    pending.removeIf(
        index -> {
          boolean settles = log.isDurable(index, flush);
          if (settles) {
            CrashLog.apply(log.events().get(index), durable);
          }
          return settles;
        });
  }
}
