// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.request;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.driver.BlockLimits;
import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.testing.DiskModel;
import io.blkmount.block.testing.ForwardingInstance.Call;
import io.blkmount.block.testing.ForwardingInstance.Kind;
import io.blkmount.block.testing.Images;
import io.blkmount.block.testing.MemoryInstance;
import io.blkmount.block.testing.PagedBytes;
import io.blkmount.block.testing.RecordingInstance;
import java.io.IOException;
import java.nio.ByteBuffer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class ChainReaderTest {
  private static final int CLUSTER = 4096;

  @Test
  void aThousandLayersFitOnASmallStack() throws Exception {
    byte[] content = DiskModel.pattern(3 * CLUSTER, 1);
    RequestPipeline below = file(content);
    for (int i = 0; i < 1000; i++) {
      below = overlay(3 * CLUSTER, below);
    }
    RequestPipeline top = below;

    ByteBuffer all =
        TestThread.start(96 << 10, () -> Images.read(new PipelineIo(top), 0, 3 * CLUSTER)).join();

    assertThat(all).isEqualTo(ByteBuffer.wrap(content));
  }

  @Test
  void aShorterLayerHidesWhatALongerOneBelowHolds() throws IOException {
    RequestPipeline base = file(DiskModel.pattern(4 * CLUSTER, 1));
    RequestPipeline middle = overlay(CLUSTER + 512, base);
    RequestPipeline top = overlay(4 * CLUSTER, middle);

    ByteBuffer all = Images.read(new PipelineIo(top), 0, 4 * CLUSTER);

    int inside = CLUSTER + 512;
    assertThat(all.slice(0, inside))
        .isEqualTo(ByteBuffer.wrap(DiskModel.pattern(4 * CLUSTER, 1), 0, inside));
    int beyond = 4 * CLUSTER - inside;
    assertThat(all.slice(inside, beyond)).isEqualTo(ByteBuffer.allocate(beyond));
  }

  @Test
  void readsOfALayerAreTrackedThere() throws Exception {
    GatedInstance gates = new GatedInstance(MemoryInstance.ofLength(CLUSTER));
    RequestPipeline base = new RequestPipeline(gates, PipelineOptions.writable("base"));
    RequestPipeline top = overlay(CLUSTER, base);
    GatedInstance.Gate gate = gates.closeFor(Kind.ZERO);
    TestThread<Boolean> zeroing =
        TestThread.run(() -> base.writeZeroes(0, CLUSTER, WriteFlags.NONE));
    gate.awaitArrival();

    TestThread<ByteBuffer> read =
        TestThread.start(() -> Images.read(new PipelineIo(top), 0, 10)).awaitBlocked();
    TestThread<Boolean> drain = TestThread.run(base::drain).awaitBlocked();
    gate.open();

    zeroing.join();
    read.join();
    drain.join();
  }

  @Test
  void anAlignedRequestIsOneCallAndAnUnalignedShortOneToo() throws IOException {
    RecordingInstance record = new RecordingInstance(MemoryInstance.aligned(1 << 20, 4096));
    RequestPipeline pipeline = new RequestPipeline(record, PipelineOptions.writable("file"));

    pipeline.read(8192, ByteBuffer.allocateDirect(200 * 4096));
    pipeline.read(4000, ByteBuffer.allocateDirect(200));
    pipeline.write(8192, Images.bytes(4096, 1), WriteFlags.NONE);
    assertThat(record.calls())
        .containsExactly(
            Call.of(Kind.READ, 8192, 200 * 4096),
            Call.of(Kind.READ, 0, 8192),
            Call.of(Kind.WRITE, 8192, 4096));
    record.clear();

    pipeline.write(100, Images.bytes(200, 1), WriteFlags.NONE);
    pipeline.write(4095, Images.bytes(4098, 1), WriteFlags.NONE);
    assertThat(record.calls())
        .containsExactly(
            Call.of(Kind.READ, 0, 4096),
            Call.of(Kind.WRITE, 0, 4096),
            Call.of(Kind.READ, 0, 4096),
            Call.of(Kind.READ, 8192, 4096),
            Call.of(Kind.WRITE, 0, 3 * 4096));
  }

  @Test
  void aLongUnalignedRequestIsEdgesAndBody() throws IOException {
    RecordingInstance record = new RecordingInstance(MemoryInstance.aligned(1 << 20, 4096));
    RequestPipeline pipeline = new RequestPipeline(record, PipelineOptions.writable("file"));

    pipeline.write(4095, Images.bytes(100 * 4096, 1), WriteFlags.NONE);
    assertThat(record.calls())
        .containsExactly(
            Call.of(Kind.READ, 0, 4096),
            Call.of(Kind.READ, 100 * 4096, 4096),
            Call.of(Kind.WRITE, 0, 4096),
            Call.of(Kind.WRITE, 4096, 99 * 4096),
            Call.of(Kind.WRITE, 100 * 4096, 4096));
    record.clear();

    pipeline.read(4095, ByteBuffer.allocateDirect(100 * 4096));
    assertThat(record.calls())
        .containsExactly(
            Call.of(Kind.READ, 0, 4096),
            Call.of(Kind.READ, 4096, 99 * 4096),
            Call.of(Kind.READ, 100 * 4096, 4096));
  }

  @Test
  void transfersAreSplitToWhatTheDriverTakes() throws IOException {
    BlockLimits limits = new BlockLimits(512, 1, 4096, 512, Long.MAX_VALUE, 512, Long.MAX_VALUE, 1);
    RecordingInstance record =
        new RecordingInstance(
            new MemoryInstance(new PagedBytes(1 << 20), limits, MemoryInstance.FILE));
    RequestPipeline pipeline = new RequestPipeline(record, PipelineOptions.writable("file"));
    ByteBuffer source = Images.bytes(10_000, 1);

    pipeline.write(512, source, WriteFlags.NONE);
    pipeline.write(511, source.flip(), WriteFlags.NONE);

    assertThat(record.calls()).allMatch(call -> call.length() <= 4096);
    assertThat(Images.read(new PipelineIo(pipeline), 511, 10_000)).isEqualTo(source.flip());
  }

  private static RequestPipeline file(byte[] content) {
    return new RequestPipeline(MemoryInstance.of(content), PipelineOptions.readOnly("base"));
  }

  private static RequestPipeline overlay(int length, RequestPipeline backing) {
    OverlayInstance overlay = new OverlayInstance(length, CLUSTER, 512);
    overlay.attachBacking(new PipelineIo(backing));
    RequestPipeline pipeline = new RequestPipeline(overlay, PipelineOptions.writable("overlay"));
    pipeline.attachBacking(backing);
    return pipeline;
  }
}
