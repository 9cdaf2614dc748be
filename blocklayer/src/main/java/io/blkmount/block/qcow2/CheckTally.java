// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.driver.CheckFinding;
import io.blkmount.block.driver.CheckFinding.Kind;
import java.util.EnumMap;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.Supplier;

/** Counts what a check finds and passes it on, in words. */
final class CheckTally {
  /** More lines of one kind help nobody, and a made-up image could ask for a billion of them. */
  static final int MAX_TEXTS = 1000;

  private final Consumer<CheckFinding> listener;
  private final Map<Kind, Long> counts = new EnumMap<>(Kind.class);
  private final Map<Kind, Integer> texts = new EnumMap<>(Kind.class);

  CheckTally(Consumer<CheckFinding> listener) {
    this.listener = listener;
  }

  void corruption(long count, Supplier<String> text) {
    add(Kind.CORRUPTION, count, text);
  }

  void leak(Supplier<String> text) {
    add(Kind.LEAK, 1, text);
  }

  void error(long count, Supplier<String> text) {
    add(Kind.ERROR, count, text);
  }

  private void add(Kind kind, long count, Supplier<String> text) {
    counts.merge(kind, count, Long::sum);
    if (texts.merge(kind, 1, (a, b) -> Math.min(a + b, MAX_TEXTS + 1)) <= MAX_TEXTS) {
      listener.accept(new CheckFinding(kind, count, text.get()));
    }
  }

  long count(Kind kind) {
    return counts.getOrDefault(kind, 0L);
  }
}
