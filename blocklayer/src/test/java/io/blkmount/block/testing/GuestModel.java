// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.testing;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

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
    /** The disk becomes longer, to {@code sector} sectors. */
    GROW
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
   * A request was acknowledged.
   *
   * @param id of its {@link Begin}
   */
  public record End(int id) {}

  private static final class Attempt {
    final Begin begin;
    final long value;
    final int begun;
    int ended = Integer.MAX_VALUE;

    Attempt(Begin begin, int begun) {
      this.begin = begin;
      this.value = begin.verb() == Verb.WRITE ? begin.id() : SectorPattern.ZERO;
      this.begun = begun;
    }

    /** What was there before the first request. */
    Attempt(long initial) {
      this.begin = new Begin(0, Verb.WRITE, 0, 0);
      this.value = initial;
      this.begun = 0;
      this.ended = 0;
    }

    boolean replaces(Attempt earlier) {
      return begin.verb() != Verb.DISCARD && earlier.ended < begun;
    }
  }

  /** For each sector those durable writes that no other durable write surely came after. */
  private final List<List<Attempt>> durable = new ArrayList<>();

  private final Map<Integer, List<Attempt>> since = new HashMap<>();
  private final Map<Integer, Attempt> open = new HashMap<>();
  private final List<Attempt> grows = new ArrayList<>();
  private int clock;
  private int durableSectors;
  private int mostSectors;

  /**
   * Creates the model of a disk.
   *
   * @param initial the value of each sector, all durable
   */
  public GuestModel(long[] initial) {
    for (long value : initial) {
      durable.add(List.of(new Attempt(value)));
    }
    durableSectors = initial.length;
    mostSectors = initial.length;
  }

  /**
   * Follows one step.
   *
   * @param mark a {@link Begin} or an {@link End}
   */
  public void step(Object mark) {
    clock++;
    if (mark instanceof Begin begin) {
      begin(new Attempt(begin, clock));
    } else if (mark instanceof End end) {
      Attempt attempt = open.remove(end.id());
      attempt.ended = clock;
      if (attempt.begin.verb() == Verb.FLUSH) {
        flushed(attempt.begun);
      }
    } else {
      throw new IllegalArgumentException("neither begin nor end: " + mark);
    }
  }

  private void begin(Attempt attempt) {
    open.put(attempt.begin.id(), attempt);
    switch (attempt.begin.verb()) {
      case FLUSH -> {}
      case GROW -> grow(attempt);
      default -> {
        for (int i = 0; i < attempt.begin.count(); i++) {
          since.computeIfAbsent(attempt.begin.sector() + i, s -> new ArrayList<>()).add(attempt);
        }
      }
    }
  }

  private void grow(Attempt attempt) {
    grows.add(attempt);
    mostSectors = Math.max(mostSectors, attempt.begin.sector());
    while (durable.size() < mostSectors) {
      durable.add(List.of(new Attempt(SectorPattern.ZERO)));
    }
  }

  private void flushed(int begun) {
    for (Attempt grow : grows) {
      if (grow.ended < begun) {
        durableSectors = Math.max(durableSectors, grow.begin.sector());
      }
    }
    grows.removeIf(grow -> grow.ended < begun);
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
  public int durableSectors() {
    return durableSectors;
  }

  /** Returns the greatest length of the disk in sectors. */
  public int mostSectors() {
    return mostSectors;
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
