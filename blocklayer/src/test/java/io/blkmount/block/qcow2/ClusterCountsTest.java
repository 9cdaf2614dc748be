// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.SplittableRandom;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

final class ClusterCountsTest {
  private static final long SIZE = 3 * 4096 + 7;

  @Test
  void countsAndMarksLikeAMap() {
    long seed = System.nanoTime();
    SplittableRandom random = new SplittableRandom(seed);
    ClusterCounts counts = new ClusterCounts(SIZE);
    TreeMap<Long, Long> model = new TreeMap<>();

    for (int i = 0; i < 2000; i++) {
      long cluster = random.nextInt(2) == 0 ? random.nextLong(40) : random.nextLong(SIZE);
      long weight = 1L << random.nextInt(random.nextInt(100) == 0 ? 50 : 10);
      counts.add(cluster, weight);
      model.merge(cluster, weight, Long::sum);
    }

    for (long cluster = 0; cluster < SIZE; cluster++) {
      long expected = model.getOrDefault(cluster, 0L);
      assertThat(counts.count(cluster))
          .as("seed %d, cluster %d", seed, cluster)
          .isEqualTo(expected);
    }
    TreeMap<Long, Long> used = new TreeMap<>();
    for (long c = counts.nextUsed(0); c < SIZE; c = counts.nextUsed(c + 1)) {
      used.put(c, counts.count(c));
    }
    assertThat(used).as("seed %d", seed).isEqualTo(model);
  }

  @Test
  void marksSurviveAGrowingCount() {
    ClusterCounts counts = new ClusterCounts(SIZE);
    counts.mark(5, ClusterCounts.SINGLE);
    counts.mark(6, ClusterCounts.OWNED);

    counts.add(5, 0x3fff);
    counts.add(6, 1L << 40);
    counts.add(5, 1);

    assertThat(counts.count(5)).isEqualTo(0x4000);
    assertThat(counts.has(5, ClusterCounts.SINGLE)).isTrue();
    assertThat(counts.has(5, ClusterCounts.OWNED)).isFalse();
    assertThat(counts.count(6)).isEqualTo(1L << 40);
    assertThat(counts.has(6, ClusterCounts.SINGLE)).isFalse();
    assertThat(counts.has(6, ClusterCounts.OWNED)).isTrue();
  }

  @Test
  void aMarkAloneIsUseButNoCount() {
    ClusterCounts counts = new ClusterCounts(SIZE);

    counts.mark(SIZE - 1, ClusterCounts.SINGLE);

    assertThat(counts.nextUsed(0)).isEqualTo(SIZE - 1);
    assertThat(counts.count(SIZE - 1)).isZero();
    assertThat(counts.nextUsed(SIZE)).isEqualTo(SIZE);
    assertThat(counts.has(SIZE + 1_000_000, ClusterCounts.SINGLE)).isFalse();
  }
}
