// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.request;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.blkmount.block.bytes.ByteRange;
import io.blkmount.block.bytes.Zeroes;
import io.blkmount.block.driver.DetectZeroesMode;
import io.blkmount.block.driver.DiscardMode;
import io.blkmount.block.driver.Preallocation;
import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.driver.WriteObserver;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import io.blkmount.block.testing.ForwardingInstance;
import io.blkmount.block.testing.Images;
import io.blkmount.block.testing.MemoryInstance;
import io.blkmount.block.testing.PagedBytes;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** An observer hears of each change as it was asked for, after it was made. */
final class WriteObserverTest {
  private static final int LENGTH = 1 << 20;

  private final Observed disk = new Observed();

  /** Blocks of 4096, so that requests are padded. */
  private static final class Observed extends ForwardingInstance implements WriteObserver {
    private final List<Object> heard = new ArrayList<>();
    private boolean fails;

    Observed() {
      super(MemoryInstance.file(new PagedBytes(LENGTH), 4096));
    }

    @Override
    protected void before(Call call) throws IOException {
      if (call.kind() == Kind.WRITE || call.kind() == Kind.ZERO || call.kind() == Kind.DISCARD) {
        heard.add(call.kind());
        if (fails) {
          throw new BlockException(BlockError.IO, "as the test wants");
        }
      }
    }

    @Override
    public void changed(long offset, long length) {
      heard.add(new ByteRange(offset, length));
    }

    @Override
    public boolean isWatching() {
      return true;
    }
  }

  private RequestPipeline pipeline() {
    return new RequestPipeline(disk, PipelineOptions.writable("disk"));
  }

  @Test
  void unalignedWriteIsToldOnceAndAsItWas() throws IOException {
    pipeline().write(5000, Images.bytes(300_000, 1), WriteFlags.FUA);

    assertThat(disk.heard.get(disk.heard.size() - 1)).isEqualTo(new ByteRange(5000, 300_000));
    assertThat(disk.heard).filteredOn(ByteRange.class::isInstance).hasSize(1);
  }

  @Test
  void zeroesAndDiscardsAreTold() throws IOException {
    pipeline().writeZeroes(4096, 8192, WriteFlags.NONE);
    pipeline().discard(8192, 4097);

    assertThat(disk.heard)
        .containsExactly(
            ForwardingInstance.Kind.ZERO,
            new ByteRange(4096, 8192),
            ForwardingInstance.Kind.DISCARD,
            new ByteRange(8192, 4097));
  }

  @Test
  void writesOfZeroesAreTold() throws IOException {
    PipelineOptions detecting =
        PipelineOptions.writable("disk").withDetectZeroes(DetectZeroesMode.UNMAP);

    new RequestPipeline(disk, detecting).write(4096, Zeroes.buffer(4096), WriteFlags.NONE);

    assertThat(disk.heard).containsExactly(ForwardingInstance.Kind.ZERO, new ByteRange(4096, 4096));
  }

  @Test
  void ignoredDiscardsReservationsAndReadsAreNot() throws IOException {
    PipelineOptions ignoring = PipelineOptions.writable("disk").withDiscard(DiscardMode.IGNORE);
    RequestPipeline pipeline = new RequestPipeline(disk, ignoring);

    pipeline.discard(0, 8192);
    pipeline.reserve(0, 8192);
    Images.read(new PipelineIo(pipeline), 0, 8192);
    pipeline.write(0, Images.bytes(0, 1), WriteFlags.NONE);
    pipeline.truncate(2 * LENGTH, Preallocation.OFF);

    assertThat(disk.heard).isEmpty();
  }

  @Test
  void failuresAreTold() {
    disk.fails = true;

    assertThatThrownBy(() -> pipeline().write(0, Images.bytes(4096, 1), WriteFlags.NONE))
        .isInstanceOf(IOException.class);
    assertThatThrownBy(() -> pipeline().discard(4096, 4096)).isInstanceOf(IOException.class);

    assertThat(disk.heard).contains(new ByteRange(0, 4096), new ByteRange(4096, 4096));
  }

  @Test
  void whoeverIsObservedLooksAtRequests() {
    assertThat(pipeline().looksAtRequests()).isTrue();
  }
}
