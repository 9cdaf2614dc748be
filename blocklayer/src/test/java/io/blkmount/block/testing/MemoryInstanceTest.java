// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.testing;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.blkmount.block.driver.DriverInstance;
import io.blkmount.block.driver.WriteFlags;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;

final class MemoryInstanceTest {
  @Nested
  final class GrowableFile extends DriverContract {
    @Override
    protected DriverInstance open(long length) {
      return MemoryInstance.ofLength(length);
    }

    @Override
    protected @Nullable DriverInstance reopen(DriverInstance closed) {
      PagedBytes content = ((MemoryInstance) closed).content();
      return new MemoryInstance(content, closed.limits(), closed.support());
    }
  }

  @Nested
  final class AlignedFile extends DriverContract {
    @Override
    protected DriverInstance open(long length) {
      return MemoryInstance.aligned(length, 4096);
    }
  }

  @Nested
  final class Wrapped extends DriverContract {
    @Override
    protected DriverInstance open(long length) {
      DriverInstance memory = MemoryInstance.ofLength(length);
      return new RecordingInstance(new FaultInstance(memory, Integer.MAX_VALUE));
    }
  }

  @Test
  void breachOfTheContractIsAnAssertionError() {
    MemoryInstance device = MemoryInstance.device(4096, 512);

    assertThatThrownBy(() -> device.read(1, ByteBuffer.allocate(512)))
        .hasMessageContaining("read offset=1 length=512: offset unaligned");
    assertThatThrownBy(() -> device.read(0, ByteBuffer.allocate(511)))
        .hasMessageContaining("length unaligned");
    assertThatThrownBy(() -> device.write(4096, Images.bytes(512, 1), WriteFlags.NONE))
        .hasMessageContaining("beyond end 4096");
    assertThatThrownBy(() -> device.write(0, Images.bytes(512, 1), WriteFlags.FUA))
        .hasMessageContaining("flags [FUA]");
    assertThatThrownBy(() -> device.writeZeroes(0, 100, WriteFlags.NONE))
        .hasMessageContaining("length unaligned");
    assertThatThrownBy(() -> device.discard(4096, 512)).isInstanceOf(AssertionError.class);
    device.close();
    assertThatThrownBy(device::flush).hasMessageContaining("after close");
  }
}
