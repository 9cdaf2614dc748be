// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.request;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.request.OverlayInstance.State;
import io.blkmount.block.testing.DiskModel;
import io.blkmount.block.testing.FaultInstance;
import io.blkmount.block.testing.ForwardingInstance.Call;
import io.blkmount.block.testing.ForwardingInstance.Kind;
import io.blkmount.block.testing.Images;
import io.blkmount.block.testing.MemoryInstance;
import io.blkmount.block.testing.RecordingInstance;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class CopyOnReadTest {
  private static final int CLUSTER = 65_536;
  private static final int LENGTH = 10 * CLUSTER + 512;

  private final byte[] content = DiskModel.pattern(LENGTH, 3);
  private final RecordingInstance base = new RecordingInstance(MemoryInstance.of(content));
  private final OverlayInstance overlay = new OverlayInstance(LENGTH, CLUSTER, 512);
  private final FaultInstance faults =
      new FaultInstance(overlay, Set.of(Kind.WRITE), BlockError.NO_SPACE, false);
  private final RecordingInstance record = new RecordingInstance(faults);
  private final GatedInstance gates = new GatedInstance(record);
  private final RequestPipeline pipeline = pipeline(true);

  private RequestPipeline pipeline(boolean writable) {
    PipelineOptions options =
        writable ? PipelineOptions.writable("top") : PipelineOptions.readOnly("top");
    RequestPipeline below = new RequestPipeline(base, PipelineOptions.readOnly("base"));
    RequestPipeline top = new RequestPipeline(gates, options.withCopyOnRead(true));
    top.attachBacking(below);
    overlay.attachBacking(new PipelineIo(below));
    return top;
  }

  @Test
  void storesTheWholeClustersThatAReadTouches() throws IOException {
    assertThat(read(2 * CLUSTER - 1, 2)).isEqualTo(expected(2 * CLUSTER - 1, 2));

    assertThat(record.calls(Kind.WRITE))
        .containsExactly(new Call(Kind.WRITE, CLUSTER, 2 * CLUSTER, WriteFlags.UNCHANGED));
    base.clear();
    assertThat(read(CLUSTER, 2 * CLUSTER)).isEqualTo(expected(CLUSTER, 2 * CLUSTER));
    assertThat(base.calls()).isEmpty();
    assertThat(record.calls(Kind.WRITE)).hasSize(1);
  }

  @Test
  void copiesOnlyWhatIsNotHeld() throws IOException {
    ByteBuffer own = Images.bytes(CLUSTER, 8);
    pipeline.write(CLUSTER, own, WriteFlags.NONE);
    record.clear();

    read(0, 3 * CLUSTER);

    assertThat(record.calls(Kind.WRITE))
        .containsExactly(
            new Call(Kind.WRITE, 0, CLUSTER, WriteFlags.UNCHANGED),
            new Call(Kind.WRITE, 2 * CLUSTER, CLUSTER, WriteFlags.UNCHANGED));
    assertThat(read(CLUSTER, CLUSTER)).isEqualTo(own.flip());
  }

  @Test
  void endsAtTheDisksEnd() throws IOException {
    assertThat(read(LENGTH - 1, 1)).isEqualTo(expected(LENGTH - 1, 1));

    assertThat(record.calls(Kind.WRITE))
        .containsExactly(new Call(Kind.WRITE, 10 * CLUSTER, 512, WriteFlags.UNCHANGED));
  }

  @Test
  void storesNothingOfWhatLiesPastTheEndOfTheBackingFile() throws IOException {
    RequestPipeline shorter =
        new RequestPipeline(
            MemoryInstance.of(DiskModel.pattern(CLUSTER + 1, 4)), PipelineOptions.readOnly("base"));
    pipeline.attachBacking(shorter);

    ByteBuffer all = read(0, LENGTH);

    assertThat(all.get(CLUSTER)).isNotZero();
    assertThat(overlay.cluster(1)).isEqualTo(State.DATA);
    assertThat(overlay.cluster(2)).isEqualTo(State.UNALLOCATED);
  }

  @Test
  void storesZerosAsZeroClusters() throws IOException {
    RequestPipeline zeros =
        new RequestPipeline(MemoryInstance.ofLength(LENGTH), PipelineOptions.readOnly("zeros"));
    pipeline.attachBacking(zeros);

    read(CLUSTER, 1);

    assertThat(overlay.cluster(1)).isEqualTo(State.ZERO);
    assertThat(overlay.cluster(2)).isEqualTo(State.UNALLOCATED);
  }

  @Test
  void aFailedCopyFailsTheRead() {
    faults.failOnce(0);

    assertThatThrownBy(() -> read(0, 1)).hasMessageContaining("injected failure");
  }

  @Test
  void aReadOnlyTopOnlyReads() throws IOException {
    RequestPipeline readOnly = pipeline(false);

    readOnly.read(0, ByteBuffer.allocateDirect(100));

    assertThat(record.calls(Kind.WRITE)).isEmpty();
  }

  @Test
  void aWriteOfTheSameClusterWaitsForTheCopy() throws Exception {
    GatedInstance.Gate gate = gates.closeFor(Kind.WRITE);
    TestThread<ByteBuffer> read = TestThread.start(() -> read(0, 100));
    gate.awaitArrival(); // the copy of the old bytes is on its way
    ByteBuffer source = Images.bytes(1024, 8);
    TestThread<Boolean> write =
        TestThread.run(() -> pipeline.write(512, source, WriteFlags.NONE)).awaitBlocked();

    gate.open();

    assertThat(read.join()).isEqualTo(expected(0, 100));
    write.join();
    assertThat(read(512, 1024)).isEqualTo(source.flip());
  }

  private ByteBuffer read(int offset, int length) throws IOException {
    return Images.read(new PipelineIo(pipeline), offset, length);
  }

  private ByteBuffer expected(int offset, int length) {
    return ByteBuffer.wrap(content, offset, length);
  }
}
