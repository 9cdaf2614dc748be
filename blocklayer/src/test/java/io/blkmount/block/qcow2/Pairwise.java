// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.function.Predicate;

/** Rows of choices in which every two choices that go together meet at least once. */
final class Pairwise {
  /** So many rows are drawn at random to find one; a pair that is in none of them is impossible. */
  private static final int DRAWS = 4000;

  private static final int CANDIDATES = 20;

  private final int[] counts;
  private final Predicate<int[]> isPossible;
  private final SplittableRandom random;
  private final Set<Pair> uncovered = new LinkedHashSet<>();

  /** One choice of one dimension together with one of another; {@code first < second}. */
  private record Pair(int first, int choice, int second, int otherChoice) {
    boolean isIn(int[] row) {
      return row[first] == choice && row[second] == otherChoice;
    }
  }

  private Pairwise(int[] counts, Predicate<int[]> isPossible, long seed) {
    this.counts = counts.clone();
    this.isPossible = isPossible;
    this.random = new SplittableRandom(seed);
    for (int first = 0; first < counts.length; first++) {
      for (int second = first + 1; second < counts.length; second++) {
        for (int i = 0; i < counts[first] * counts[second]; i++) {
          uncovered.add(new Pair(first, i % counts[first], second, i / counts[first]));
        }
      }
    }
  }

  /**
   * Returns rows.
   *
   * @param counts how many choices each dimension has
   * @param isPossible which choices go together
   * @param seed of the rows
   */
  static List<int[]> rows(int[] counts, Predicate<int[]> isPossible, long seed) {
    return new Pairwise(counts, isPossible, seed).rows();
  }

  private List<int[]> rows() {
    List<int[]> rows = new ArrayList<>();
    while (!uncovered.isEmpty()) {
      Pair wanted = uncovered.iterator().next();
      int[] best = best(wanted);
      if (best.length == 0) {
        uncovered.remove(wanted);
      } else {
        uncovered.removeIf(pair -> pair.isIn(best));
        rows.add(best);
      }
    }
    return rows;
  }

  /** Returns the possible row with a pair that covers most, or nothing. */
  private int[] best(Pair wanted) {
    int[] best = {};
    long most = 0;
    int found = 0;
    for (int i = 0; i < DRAWS && found < CANDIDATES; i++) {
      int[] row = draw(wanted);
      if (isPossible.test(row)) {
        found++;
        long covers = uncovered.stream().filter(pair -> pair.isIn(row)).count();
        best = covers > most ? row : best;
        most = Math.max(most, covers);
      }
    }
    return best;
  }

  private int[] draw(Pair wanted) {
    int[] row = new int[counts.length];
    for (int i = 0; i < row.length; i++) {
      row[i] = random.nextInt(counts[i]);
    }
    row[wanted.first] = wanted.choice;
    row[wanted.second] = wanted.otherChoice;
    return row;
  }
}
