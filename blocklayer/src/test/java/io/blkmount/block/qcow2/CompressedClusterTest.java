// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

final class CompressedClusterTest {
  @ParameterizedTest(name = "{0} at cluster_bits {1}")
  @CsvSource({
    "4000000000050000,16,327680,512",
    "4000000000050001,16,327681,511", // bit 0 is offset, not the zero flag
    "40400000000501ff,16,328191,513",
    "7fffffffffffffff,16,18014398509481983,130561",
    "6000000000000400,9,1024,1024",
    "4002000000000200,21,512,1024",
    "7ffe000000000000,21,0,4194304"
  })
  void decodesOffsetAndSectors(String entry, int clusterBits, long hostOffset, int length) {
    assertThat(CompressedCluster.decode(Long.parseLong(entry, 16), clusterBits))
        .isEqualTo(new CompressedCluster(hostOffset, length));
  }

  @ParameterizedTest(name = "cluster_bits {0}")
  @ValueSource(ints = {9, 12, 16, 21})
  void encodeIsTheInverseOfDecode(int clusterBits) {
    for (int seed = 0; seed < 10_000; seed++) {
      long entry = new Random(seed).nextLong() & Long.MAX_VALUE | 1L << 62;

      CompressedCluster cluster = CompressedCluster.decode(entry, clusterBits);

      assertThat(cluster.encode(clusterBits)).as("seed %d", seed).isEqualTo(entry);
    }
  }

  @Test
  void refusesWhatDoesNotFitIntoAnEntry() {
    assertThatThrownBy(() -> new CompressedCluster(1L << 54, 512).encode(16))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> new CompressedCluster(0, 1025).encode(9))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> new CompressedCluster(0, 0).encode(16))
        .isInstanceOf(IllegalArgumentException.class);
  }
}
