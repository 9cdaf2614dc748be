// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.driver.BlockIo;
import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.testing.Images;
import io.blkmount.block.testing.MemoryInstance;
import io.blkmount.block.testing.RecordingInstance;
import java.io.IOException;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Clusters that follow each other in the host file are one request to it. */
class ContiguousClustersTest {
  /** What the longest FUSE request carries. */
  private static final int LENGTH = 1 << 20;

  @ParameterizedTest(name = "cluster size {0}")
  @ValueSource(ints = {4096, 65536, 2097152})
  void areReadAndOverwrittenAtOnce(int clusterSize) throws IOException {
    RecordingInstance host = host(clusterSize);
    try (TestImage image = TestImage.open(host, null)) {
      BlockIo io = image.io();
      io.write(0, Images.bytes(LENGTH, 1), WriteFlags.NONE);
      host.clear();

      assertThat(Images.read(io, 0, LENGTH)).isEqualTo(Images.bytes(LENGTH, 1));
      io.write(0, Images.bytes(LENGTH, 2), WriteFlags.NONE);

      assertThat(host.calls()).as("a read and a write").hasSize(2);
      assertThat(Images.read(io, 0, LENGTH)).isEqualTo(Images.bytes(LENGTH, 2));
    }
  }

  @ParameterizedTest(name = "cluster size {0}")
  @ValueSource(ints = {4096, 65536})
  void areOneRequestForEachRunWhenTheyAreNot(int clusterSize) throws IOException {
    RecordingInstance host = host(clusterSize);
    try (TestImage image = TestImage.open(host, null)) {
      BlockIo io = image.io();
      io.write(2L * clusterSize, Images.bytes(2 * clusterSize, 1), WriteFlags.NONE);
      io.write(0, Images.bytes(2 * clusterSize, 2), WriteFlags.NONE);
      host.clear();

      Images.read(io, 0, 4 * clusterSize);
      io.write(0, Images.bytes(4 * clusterSize, 3), WriteFlags.NONE);

      assertThat(host.calls()).as("two reads and two writes").hasSize(4);
      assertThat(Images.read(io, 0, 4 * clusterSize)).isEqualTo(Images.bytes(4 * clusterSize, 3));
    }
  }

  private static RecordingInstance host(int clusterSize) {
    return new RecordingInstance(
        MemoryInstance.file(ImageShape.of(clusterSize, 4 << 20).create(), 1));
  }
}
