// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.driver.CheckFinding;
import io.blkmount.block.driver.CheckFinding.Kind;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;
import java.util.function.Supplier;

/** Counts what a check finds and passes it on, in words. */
final class CheckTally {
  /** More lines of one kind help nobody, and a made-up image could ask for a billion of them. */
  static final int MAX_TEXTS = 1000;

  /** What a repair can do about a finding. */
  enum Remedy {
    /** Nothing: what was lost is not in the image any more. */
    NONE,
    /** Nothing, as two structures claim a place; but all references are known. */
    SHARED,
    /** The refcounts follow the references. */
    REFCOUNT,
    /** The COPIED flag of an entry follows the refcount. */
    FLAG,
    /** An entry that means nothing goes. */
    ENTRY,
    /** A repair of everything makes the snapshot table anew; until then references are unknown. */
    SNAPSHOT;

    static final Set<Remedy> ALL = EnumSet.allOf(Remedy.class);
  }

  private final Consumer<CheckFinding> listener;
  private final Set<Remedy> told;
  private final Map<Kind, Long> counts = new EnumMap<>(Kind.class);
  private final Map<Kind, Integer> texts = new EnumMap<>(Kind.class);
  private final Map<Remedy, Long> remedies = new EnumMap<>(Remedy.class);

  CheckTally(Consumer<CheckFinding> listener) {
    this(listener, Remedy.ALL);
  }

  /**
   * Creates an empty tally.
   *
   * @param told what is passed on
   */
  CheckTally(Consumer<CheckFinding> listener, Set<Remedy> told) {
    this.listener = listener;
    this.told = told;
  }

  /** Counts damage that no repair can undo. */
  void corruption(long count, Supplier<String> text) {
    corruption(Remedy.NONE, count, text);
  }

  void corruption(Remedy remedy, long count, Supplier<String> text) {
    add(remedy, Kind.CORRUPTION, count, text);
  }

  void leak(Supplier<String> text) {
    add(Remedy.REFCOUNT, Kind.LEAK, 1, text);
  }

  /** Counts what could not be checked and cannot be repaired. */
  void error(long count, Supplier<String> text) {
    error(Remedy.NONE, count, text);
  }

  void error(Remedy remedy, long count, Supplier<String> text) {
    add(remedy, Kind.ERROR, count, text);
  }

  private void add(Remedy remedy, Kind kind, long count, Supplier<String> text) {
    counts.merge(kind, count, Long::sum);
    remedies.merge(remedy, count, Long::sum);
    if (told.contains(remedy)
        && texts.merge(kind, 1, (a, b) -> Math.min(a + b, MAX_TEXTS + 1)) <= MAX_TEXTS) {
      listener.accept(new CheckFinding(kind, count, text.get()));
    }
  }

  long count(Kind kind) {
    return counts.getOrDefault(kind, 0L);
  }

  /** Returns how much was found that has this remedy. */
  long count(Remedy remedy) {
    return remedies.getOrDefault(remedy, 0L);
  }
}
