// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.testing;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * What a guest may find after a crash: for each sector the values that the last acknowledged flush
 * made durable, and those of every write begun since. Fed with {@link Begin} and {@link End} in the
 * order in which they happened; requests may overlap in time. Not thread-safe.
 */
public final class GuestModel {
  /** What a guest asks for. */
  public enum Verb {
    /** Sectors get the request's generation. */
    WRITE,
    /** Sectors become zero. */
    ZERO,
    /** Sectors become zero or stay. */
    DISCARD,
    /** What was completed becomes durable. */
    FLUSH,
    /** The disk becomes longer, to {@code sector} sectors; the new ones are zero. */
    GROW,
    /** The disk becomes shorter, to {@code sector} sectors. */
    SHRINK
  }

  /**
   * A request begins.
   *
   * @param id and generation, above 0
   * @param verb what
   * @param sector the first
   * @param count how many
   */
  public record Begin(int id, Verb verb, int sector, int count) {}

  /**
   * A request begins that replaces the whole disk, its length too.
   *
   * @param id above 0
   * @param values of all sectors
   */
  public record Replace(int id, List<Long> values) {}

  /**
   * A request was acknowledged.
   *
   * @param id of its {@link Begin} or {@link Replace}
   */
  public record End(int id) {}

  private static final class Attempt {
    final Begin begin;
    final long value;
    final int begun;
    int ended = Integer.MAX_VALUE;

    /** Another value that the same request may leave, there or in another sector. */
    @Nullable Attempt twin;

    Attempt(Begin begin, int begun) {
      this(begin, begin.verb() == Verb.WRITE ? begin.id() : SectorPattern.ZERO, begun);
    }

    Attempt(Begin begin, long value, int begun) {
      this.begin = begin;
      this.value = value;
      this.begun = begun;
    }

    /** What was there before the first request. */
    Attempt(long initial) {
      this(new Begin(0, Verb.WRITE, 0, 0), initial, 0);
      this.ended = 0;
    }

    boolean replaces(Attempt earlier) {
      boolean certain = begin.verb() != Verb.DISCARD && begin.verb() != Verb.SHRINK;
      return certain && earlier.ended < begun;
    }
  }

  /** For each sector those durable writes that no other durable write surely came after. */
  private final List<List<Attempt>> durable = new ArrayList<>();

  private final Map<Integer, List<Attempt>> since = new HashMap<>();
  private final Map<Integer, Attempt> open = new HashMap<>();

  /** What a sector that is dropped altogether shows: the generation of the backing file. */
  private final long below;

  /** The length by the last flush and those of every resize begun since; the last one rules. */
  private final List<Attempt> lengths = new ArrayList<>();

  private int clock;

  /**
   * Creates the model of a disk. Its length is changed by one request at a time.
   *
   * @param initial the value of each sector, all durable
   * @param below the value of the sectors of the backing file, {@code ZERO} if there is none
   */
  public GuestModel(long[] initial, long below) {
    this.below = below;
    for (long value : initial) {
      durable.add(List.of(new Attempt(value)));
    }
    Attempt length = new Attempt(new Begin(0, Verb.GROW, initial.length, 0), 0);
    length.ended = 0;
    lengths.add(length);
  }

  /**
   * Follows one step.
   *
   * @param mark a {@link Begin}, a {@link Replace} or an {@link End}
   */
  public void step(Object mark) {
    clock++;
    if (mark instanceof Begin begin) {
      begin(new Attempt(begin, clock));
    } else if (mark instanceof Replace replace) {
      replace(replace);
    } else if (mark instanceof End end) {
      Attempt attempt = open.remove(end.id());
      for (Attempt each = attempt; each != null; each = each.twin) {
        each.ended = clock;
      }
      if (attempt.begin.verb() == Verb.FLUSH) {
        flushed(attempt.begun);
      }
    } else {
      throw new IllegalArgumentException("neither begin nor end: " + mark);
    }
  }

  private void begin(Attempt attempt) {
    open.put(attempt.begin.id(), attempt);
    int sector = attempt.begin.sector();
    switch (attempt.begin.verb()) {
      case FLUSH -> {}
      case GROW, SHRINK -> resize(attempt);
      default -> tryOn(sector, sector + attempt.begin.count(), attempt);
    }
  }

  private void tryOn(int first, int end, Attempt attempt) {
    for (int sector = first; sector < end; sector++) {
      since.computeIfAbsent(sector, s -> new ArrayList<>()).add(attempt);
    }
  }

  private void resize(Attempt attempt) {
    int before = lengths.get(lengths.size() - 1).begin.sector();
    int after = attempt.begin.sector();
    lengths.add(attempt);
    while (durable.size() < after) {
      durable.add(List.of(new Attempt(SectorPattern.ZERO)));
    }
    tryOn(Math.min(before, after), Math.max(before, after), attempt);
    if (after < before) {
      attempt.twin = new Attempt(attempt.begin, below, attempt.begun);
      tryOn(after, before, attempt.twin);
    }
  }

  private void replace(Replace replace) {
    int before = lengths.get(lengths.size() - 1).begin.sector();
    int after = replace.values().size();
    Verb verb = after < before ? Verb.SHRINK : Verb.GROW;
    Attempt last = new Attempt(new Begin(replace.id(), verb, after, 0), clock);
    begin(last);
    for (int sector = 0; sector < after; sector++) {
      Begin begin = new Begin(replace.id(), Verb.WRITE, sector, 1);
      Attempt each = new Attempt(begin, replace.values().get(sector), clock);
      tryOn(sector, sector + 1, each);
      each.twin = last.twin;
      last.twin = each;
    }
  }

  private void flushed(int begun) {
    while (lengths.size() > 1 && lengths.get(1).ended < begun) {
      lengths.remove(0);
    }
    since.entrySet().removeIf(entry -> settle(entry.getKey(), entry.getValue(), begun));
  }

  /** Makes durable what had ended when the flush began; returns whether nothing else is left. */
  private boolean settle(int sector, List<Attempt> attempts, int flushBegun) {
    List<Attempt> settled = attempts.stream().filter(a -> a.ended < flushBegun).toList();
    if (!settled.isEmpty()) {
      durable.set(sector, survivors(sector, settled));
      attempts.removeAll(settled);
    }
    return attempts.isEmpty();
  }

  private List<Attempt> survivors(int sector, List<Attempt> settled) {
    List<Attempt> all = new ArrayList<>(durable.get(sector));
    all.addAll(settled);
    return all.stream()
        .filter(attempt -> all.stream().noneMatch(later -> later.replaces(attempt)))
        .toList();
  }

  /** Returns the sectors that a request has touched since they were last durable. */
  public Set<Integer> unsettled() {
    return since.keySet();
  }

  /** Returns the least length of the disk in sectors. */
  public int leastSectors() {
    return lengths.stream().mapToInt(attempt -> attempt.begin.sector()).min().orElseThrow();
  }

  /** Returns the greatest length of the disk in sectors. */
  public int mostSectors() {
    return lengths.stream().mapToInt(attempt -> attempt.begin.sector()).max().orElseThrow();
  }

  /**
   * Returns whether a sector may have a value.
   *
   * @param sector its number
   * @param value as {@link SectorPattern#generation} says
   */
  public boolean allows(int sector, long value) {
    return durable.get(sector).stream().anyMatch(a -> a.value == value)
        || since.getOrDefault(sector, List.of()).stream().anyMatch(a -> a.value == value);
  }

  /**
   * Returns all values that a sector may have.
   *
   * @param sector its number
   */
  public Set<Long> allowed(int sector) {
    Set<Long> allowed = new HashSet<>();
    durable.get(sector).forEach(attempt -> allowed.add(attempt.value));
    since.getOrDefault(sector, List.of()).forEach(attempt -> allowed.add(attempt.value));
    return allowed;
  }
}
