// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import org.junit.jupiter.api.Test;

final class CrashFloorTest {
  private static final int LEAST = 10_000;

  @Test
  void theDefaultRunJudgesThousandsOfStatesAndEveryFeature() {
    int sum = Arrays.stream(CrashFloor.values()).mapToInt(CrashFloor::states).sum();

    System.Logger log = System.getLogger(CrashFloorTest.class.getName());
    log.log(System.Logger.Level.INFO, "crash states judged, at least: {0}", sum);
    assertThat(sum).isGreaterThanOrEqualTo(LEAST);
    assertThat(CrashFloor.values()).allMatch(floor -> floor.states() > 0);
  }
}
