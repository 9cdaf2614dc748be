// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.HashMap;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class ClusterMarksTest {
  private final ClusterMarks marks = new ClusterMarks();

  @Test
  void aClusterHasNoMarkBeforeItGetsOneAndAfterItHasLostIt() {
    assertThat(marks.get(7)).isEqualTo(ClusterMarks.NONE);

    marks.put(7, 0, 6);
    assertThat(marks.get(7)).isZero();

    marks.remove(7);
    assertThat(marks.get(7)).isEqualTo(ClusterMarks.NONE);
  }

  @Test
  void aSecondMarkMakesTheOtherOne() {
    marks.put(7, 1, 6);
    marks.put(7, 2, 6);

    assertThat(marks.get(7)).isEqualTo(6);
  }

  @Test
  void lastClusterOfTheLargestFileCanBeMarked() {
    long last = (1L << 56 >>> 9) - 1;

    marks.put(last, 31, 6);

    assertThat(marks.get(last)).isEqualTo(31);
    assertThat(marks.get(0)).isEqualTo(ClusterMarks.NONE);
  }

  @Test
  void behavesLikeAMap() {
    long seed = new SplittableRandom().nextLong();
    SplittableRandom random = new SplittableRandom(seed);
    Map<Long, Integer> model = new HashMap<>();
    for (int step = 0; step < 200_000; step++) {
      long cluster = random.nextInt(1 + step / 20) * 64L;
      if (random.nextInt(3) == 0) {
        marks.remove(cluster);
        model.remove(cluster);
      } else {
        int mark = random.nextInt(6);
        marks.put(cluster, mark, 6);
        model.merge(cluster, mark, (before, now) -> 6);
      }
      long asked = random.nextInt(1 + step / 20) * 64L;
      assertThat(marks.get(asked))
          .as("seed %d, step %d", seed, step)
          .isEqualTo(model.getOrDefault(asked, ClusterMarks.NONE));
    }
  }

  @Test
  void comingAndGoingDoesNotFillTheTable() {
    for (long cluster = 0; cluster < 10_000_000; cluster++) {
      marks.put(cluster, 1, 6);
      marks.remove(cluster);
    }

    assertThat(marks.get(9_999_999)).isEqualTo(ClusterMarks.NONE);
    assertThat(marks.slotCount()).isEqualTo(64);
  }

  /** All of them want one corner of the table, if it spreads by the usual multiplier alone. */
  @Test
  @Timeout(5)
  void clustersThatSomebodyHasChosenAreMarkedAsFastAsOthers() {
    int left = 150_000;
    for (long cluster = 0; left > 0; cluster++) {
      if (((int) (cluster * 0x9e3779b97f4a7c15L >>> 32) & (1 << 18) - 1) < 2000) {
        marks.put(cluster, 1, 6);
        left--;
      }
    }

    assertThat(marks.get(0)).isEqualTo(1);
  }

  @Test
  void whatIsMarkedStaysMarkedWhileOthersComeAndGo() throws Exception {
    ExecutorService threads = Executors.newFixedThreadPool(2);
    AtomicBoolean done = new AtomicBoolean();
    try {
      marks.put(5, 3, 6);
      Callable<Long> asking =
          () -> {
            long wrong = 0;
            while (!done.get()) {
              wrong += marks.get(5) == 3 && marks.get(6) == ClusterMarks.NONE ? 0 : 1;
            }
            return wrong;
          };
      Future<Long> asked = threads.submit(asking);

      for (long cluster = 10; cluster < 2_000_000; cluster++) {
        marks.put(cluster, 1, 6);
        if (cluster % 3 != 0) {
          marks.remove(cluster);
        }
      }
      done.set(true);

      assertThat(asked.get()).isZero();
    } finally {
      done.set(true);
      threads.shutdownNow();
    }
  }
}
