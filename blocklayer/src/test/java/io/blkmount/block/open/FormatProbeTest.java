// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.open;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.driver.BlockDriver;
import io.blkmount.block.error.BlockException;
import io.blkmount.block.qcow2.Qcow2Driver;
import io.blkmount.block.raw.RawDriver;
import io.blkmount.block.testing.MemoryChild;
import io.blkmount.block.testing.MemoryInstance;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;
import org.junit.jupiter.api.Test;

final class FormatProbeTest {
  private static final ImageReference NAME = new ImageReference("x.qcow2", "file", "x.qcow2");

  private static String probe(byte[] content, BlockDriver... formats) throws IOException {
    MemoryChild file = new MemoryChild(MemoryInstance.of(content));
    return new FormatProbe(List.of(formats)).probe(file, NAME).name();
  }

  private static byte[] qcow2(int version) {
    return ByteBuffer.allocate(4096).putInt(0x514649fb).putInt(version).array();
  }

  @Test
  void highestScoreWinsInAnyOrder() throws IOException {
    assertThat(probe(qcow2(3), new RawDriver(), new Qcow2Driver())).isEqualTo("qcow2");
    assertThat(probe(qcow2(2), new Qcow2Driver(), new RawDriver())).isEqualTo("qcow2");
  }

  @Test
  void whatNobodyKnowsIsRawWhateverItsName() throws IOException {
    BlockDriver[] formats = {new Qcow2Driver(), new RawDriver()};

    assertThat(probe(new byte[0], formats)).isEqualTo("raw");
    assertThat(probe(new byte[] {'Q', 'F', 'I'}, formats)).isEqualTo("raw");
    assertThat(probe(new byte[10_000], formats)).isEqualTo("raw");
  }

  @Test
  void registryFindsByNameAndNamesWhatThereIs() throws BlockException {
    assertThat(DriverRegistry.STANDARD.format("raw").name()).isEqualTo("raw");
    assertThat(DriverRegistry.STANDARD.isProtocol("host_device")).isTrue();
    assertThat(DriverRegistry.STANDARD.isProtocol("qcow2")).isFalse();
  }
}
