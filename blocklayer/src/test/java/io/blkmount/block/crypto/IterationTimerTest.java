// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.crypto;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Iterator;
import java.util.List;
import org.junit.jupiter.api.Test;

final class IterationTimerTest {
  @Test
  void doublesUntilTheTimeSaysSomethingAndScalesIt() {
    // 1024 iterations take 10 ms, 2048 take 20 ms, 4096 take 64 ms: 128 ms are twice as many.
    Iterator<Long> moments = List.of(0L, 10L, 10L, 30L, 40L, 104L).iterator();
    IterationTimer timer = new IterationTimer(() -> moments.next() * 1_000_000);

    assertThat(timer.iterationsFor(HashAlgorithm.SHA1, 20, 128)).isEqualTo(8192);
    assertThat(moments).isExhausted();
  }

  @Test
  void neverGoesBelowTheLeast() {
    assertThat(LuksHeaders.SLOW_MACHINE.iterationsFor(HashAlgorithm.SHA1, 20, 0)).isEqualTo(1000);
  }

  @Test
  void neverGoesAboveWhatIsOpenedAgain() {
    IterationTimer timer = new IterationTimer(LuksHeaders.leaping(50_000_000));

    assertThat(timer.iterationsFor(HashAlgorithm.SHA1, 20, 100_000)).isEqualTo(2_048_000);
    assertThat(timer.iterationsFor(HashAlgorithm.SHA1, 20, Long.MAX_VALUE / 2))
        .isEqualTo(LuksHeader.MAX_ITERATIONS);
  }
}
