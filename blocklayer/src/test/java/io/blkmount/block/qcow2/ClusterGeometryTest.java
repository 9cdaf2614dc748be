// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

final class ClusterGeometryTest {
  @ParameterizedTest(name = "cluster_bits {0}, guest offset {1}")
  @CsvSource({
    "9,0,0,0,0",
    "9,32767,0,63,511",
    "9,32768,1,0,0",
    "16,536870911,0,8191,65535",
    "16,536870913,1,0,1",
    "21,2305843009213693951,4194303,262143,2097151"
  })
  void splitsAGuestOffset(int clusterBits, long guestOffset, int l1, int l2, int inCluster) {
    ClusterGeometry geometry = new ClusterGeometry(clusterBits);

    assertThat(geometry.l1Index(guestOffset)).isEqualTo(l1);
    assertThat(geometry.l2Index(guestOffset)).isEqualTo(l2);
    assertThat(geometry.offsetInCluster(guestOffset)).isEqualTo(inCluster);
  }

  @ParameterizedTest(name = "cluster_bits {0}")
  @ValueSource(ints = {9, 10, 12, 13, 16, 21})
  void slicesCoverTheTable(int clusterBits) {
    ClusterGeometry geometry = new ClusterGeometry(clusterBits);
    Random random = new Random(clusterBits);
    for (int i = 0; i < 1000; i++) {
      long guestOffset = random.nextLong(1L << (clusterBits + clusterBits + 4));

      int l2Index = geometry.l2Index(guestOffset);
      long spanEnd = geometry.sliceSpanEnd(guestOffset);

      assertThat(geometry.sliceOffset(guestOffset) / 8 + geometry.indexInSlice(guestOffset))
          .as("guest offset %d", guestOffset)
          .isEqualTo(l2Index);
      assertThat(spanEnd).isGreaterThan(guestOffset);
      assertThat(geometry.sliceOffset(spanEnd - 1)).isEqualTo(geometry.sliceOffset(guestOffset));
    }
  }
}
