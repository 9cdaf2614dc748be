// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.blkmount.block.driver.Preallocation;
import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.testing.FaultInstance;
import io.blkmount.block.testing.ForwardingInstance.Kind;
import io.blkmount.block.testing.Images;
import io.blkmount.block.testing.MemoryInstance;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.EnumSet;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** A disk with an external data file gets shorter on a host that fails. */
final class DataFileLengthTest {
  private static final int CLUSTER = 16384;
  private static final int LENGTH = CLUSTER + 512;

  @Test
  void rawFileThatCannotBeCutOffShowsWhatTheGuestSees() throws IOException {
    MemoryInstance file = MemoryInstance.ofLength(0);
    MemoryInstance memory = MemoryInstance.ofLength(0);
    ImageFiles.create(file, memory, LENGTH, "cluster_size=512,data_file_raw=on");
    Set<Kind> failing = EnumSet.of(Kind.DISCARD, Kind.TRUNCATE);
    FaultInstance data = new FaultInstance(memory, failing, BlockError.IO, false);
    try (TestImage image =
        TestImage.open(ImageFiles.over(file, data), true, null, TestImage.Options.DEFAULT)) {
      image.io().write(0, Images.bytes(LENGTH, 1), WriteFlags.NONE);
      data.failFrom(0);

      assertThatThrownBy(() -> image.pipeline().truncate(CLUSTER / 2, Preallocation.OFF))
          .hasMessageContaining("TRUNCATE");

      assertThat(Images.read(image.io(), 0, LENGTH))
          .isEqualTo(ByteBuffer.wrap(memory.bytes(0, LENGTH)));
    }
  }
}
