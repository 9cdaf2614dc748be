// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.testing;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.IntPredicate;
import java.util.function.LongPredicate;
import java.util.stream.IntStream;

/**
 * What happened to a host file, and when each change became durable. The methods that return
 * another log are hosts that lie, or drivers that forget: with them a judge is tested.
 */
public final class CrashLog {
  /** One thing that completed. */
  public sealed interface Event permits Write, Zero, Truncate, Flush, Mark {}

  /**
   * Bytes were written.
   *
   * @param offset in bytes
   * @param data what
   */
  public record Write(long offset, byte[] data) implements Event {}

  /**
   * Bytes became zeros.
   *
   * @param offset in bytes
   * @param length in bytes
   * @param grows whether the file became longer if it ended before
   */
  public record Zero(long offset, long length, boolean grows) implements Event {}

  /**
   * The length was set.
   *
   * @param length in bytes
   */
  public record Truncate(long length) implements Event {}

  /**
   * A flush returned.
   *
   * @param covered the number of events that had completed when it began
   */
  public record Flush(int covered) implements Event {}

  /**
   * Something of the guest's.
   *
   * @param what for the judge
   */
  public record Mark(Object what) implements Event {}

  /** The smallest unit that a disk writes whole, in bytes. */
  public static final int SECTOR = 512;

  private final PagedBytes start;
  private final List<Event> events;

  /** For each event the index of the flush that made it durable. */
  private final int[] durableAt;

  private final int headerGranule;

  CrashLog(PagedBytes start, List<Event> events) {
    this(start, events, durability(events), SECTOR);
  }

  private CrashLog(PagedBytes start, List<Event> events, int[] durableAt, int headerGranule) {
    this.start = start;
    this.events = events;
    this.durableAt = durableAt;
    this.headerGranule = headerGranule;
  }

  private static int[] durability(List<Event> events) {
    int[] durableAt = new int[events.size()];
    Arrays.fill(durableAt, Integer.MAX_VALUE);
    int done = 0;
    for (int i = 0; i < durableAt.length; i++) {
      if (events.get(i) instanceof Flush flush && flush.covered() > done) {
        Arrays.fill(durableAt, done, flush.covered(), i);
        done = flush.covered();
      }
    }
    return durableAt;
  }

  PagedBytes start() {
    return start;
  }

  List<Event> events() {
    return events;
  }

  boolean isDurable(int event, int flush) {
    return durableAt[event] <= flush;
  }

  /** Returns how many changes become durable with a flush; one that does nothing settles none. */
  long settledBy(int flush) {
    return IntStream.range(0, flush)
        .filter(event -> durableAt[event] == flush && !(events.get(event) instanceof Mark))
        .filter(event -> !(events.get(event) instanceof Flush))
        .count();
  }

  /** Returns how many flushes there are. */
  public int flushes() {
    return (int) events.stream().filter(Flush.class::isInstance).count();
  }

  /**
   * Returns the log of a host whose flush returns at once and does nothing.
   *
   * @param which flushes, by their number from 0
   */
  public CrashLog withoutFlushes(IntPredicate which) {
    List<Event> kept = new ArrayList<>();
    int number = 0;
    for (Event event : events) {
      boolean drop = event instanceof Flush && which.test(number++);
      // An event takes its place: indexes stay as they are.
      kept.add(drop ? new Flush(0) : event);
    }
    return new CrashLog(start, kept, durability(kept), headerGranule);
  }

  /**
   * Returns the log of a driver that orders some writes too late: each becomes durable one flush
   * later than it did.
   *
   * @param which writes, by their host offset
   */
  public CrashLog withDelayed(LongPredicate which) {
    int[] delayed = durableAt.clone();
    for (int i = 0; i < delayed.length; i++) {
      if (events.get(i) instanceof Write write && which.test(write.offset())) {
        delayed[i] = nextFlush(durableAt[i]);
      }
    }
    return new CrashLog(start, events, delayed, headerGranule);
  }

  private int nextFlush(int flush) {
    for (int i = flush; i < durableAt.length - 1; i++) {
      if (events.get(i + 1) instanceof Flush) {
        return i + 1;
      }
    }
    return Integer.MAX_VALUE;
  }

  /** Returns the log of a disk that tears a write of the first sector between any two words. */
  public CrashLog withTornHeader() {
    return new CrashLog(start, events, durableAt, 4);
  }

  /**
   * Returns what a crash now may leave: all that is durable, and a random part of the rest.
   *
   * @param random makes the choice
   */
  public PagedBytes crashNow(SplittableRandom random) {
    double density = random.nextInt(5) / 4.0;
    PagedBytes state = start.copy();
    for (int i = 0; i < events.size(); i++) {
      if (durableAt[i] != Integer.MAX_VALUE || random.nextDouble() < density) {
        apply(events.get(i), state);
      }
    }
    return state;
  }

  /** Returns the unit in bytes that a crash leaves whole in a write at {@code offset}. */
  int granule(long offset) {
    return offset < SECTOR ? headerGranule : SECTOR;
  }

  /** Does to {@code bytes} what an event did. */
  static void apply(Event event, PagedBytes bytes) {
    if (event instanceof Write write) {
      bytes.write(write.offset(), ByteBuffer.wrap(write.data()));
    } else if (event instanceof Truncate truncate) {
      bytes.setLength(truncate.length());
    } else if (event instanceof Zero zero) {
      long end = zero.offset() + zero.length();
      bytes.setLength(zero.grows() ? Math.max(bytes.length(), end) : bytes.length());
      bytes.zero(zero.offset(), zero.length());
    }
  }
}
