// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.testing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import io.blkmount.block.testing.ForwardingInstance.Call;
import io.blkmount.block.testing.ForwardingInstance.Kind;
import java.io.IOException;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

final class FaultInstanceTest {
  private final MemoryInstance memory = MemoryInstance.ofLength(8192);

  @Test
  void onlyTheNthCallFails() throws IOException {
    FaultInstance fault = new FaultInstance(memory, 1, BlockError.NO_SPACE);

    fault.write(0, Images.bytes(512, 1), WriteFlags.NONE);
    assertThat(fault.tripped()).isFalse();
    assertThatThrownBy(() -> fault.write(512, Images.bytes(512, 1), WriteFlags.NONE))
        .isInstanceOfSatisfying(
            BlockException.class, e -> assertThat(e.error()).isEqualTo(BlockError.NO_SPACE));
    fault.flush();

    assertThat(fault.tripped()).isTrue();
    assertThat(memory.content().bytes(512, 512)).containsOnly(0);
  }

  @Test
  void failingWriteLeavesItsFirstHalf() throws IOException {
    FaultInstance full =
        new FaultInstance(memory, FaultInstance.CHANGES, BlockError.NO_SPACE, true);
    full.failFrom(0);

    assertThatThrownBy(() -> full.write(0, Images.bytes(1024, 1), WriteFlags.NONE))
        .isInstanceOf(BlockException.class);
    assertThatThrownBy(full::flush).isInstanceOf(BlockException.class);
    full.heal();
    full.flush();

    assertThat(memory.content().bytes(0, 512))
        .isEqualTo(Arrays.copyOf(DiskModel.pattern(1024, 1), 512));
    assertThat(memory.content().bytes(512, 512)).containsOnly(0);
  }

  @Test
  void recorderKeepsTheOrder() throws IOException {
    RecordingInstance recorder = new RecordingInstance(memory);

    recorder.write(512, Images.bytes(512, 1), WriteFlags.NONE);
    recorder.flush();

    assertThat(recorder.calls())
        .containsExactly(Call.of(Kind.WRITE, 512, 512), Call.of(Kind.FLUSH, 0, 0));
  }
}
