// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.request;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.blkmount.block.driver.BlockLimits;
import io.blkmount.block.driver.DetectZeroesMode;
import io.blkmount.block.driver.DiscardMode;
import io.blkmount.block.driver.Support;
import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import io.blkmount.block.testing.FaultInstance;
import io.blkmount.block.testing.ForwardingInstance.Call;
import io.blkmount.block.testing.ForwardingInstance.Kind;
import io.blkmount.block.testing.Images;
import io.blkmount.block.testing.MemoryInstance;
import io.blkmount.block.testing.PagedBytes;
import io.blkmount.block.testing.RecordingInstance;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Which driver calls zero requests, discards and writes of zeros become. */
class ZeroRequestsTest {
  private static final int LENGTH = 1 << 20;
  private static final PipelineOptions OPTIONS = PipelineOptions.writable("disk");

  /** Blocks of 512, zeros in 4096, at most 16384; discards in 8192, at most 32768. */
  private static final BlockLimits LIMITS =
      new BlockLimits(512, 1, 1 << 20, 4096, 16_384, 8192, 32_768, 4096);

  private final FaultInstance faults =
      new FaultInstance(memory(MemoryInstance.FILE), Set.of(Kind.ZERO), BlockError.IO, false);
  private final RecordingInstance record = new RecordingInstance(faults);

  private static MemoryInstance memory(Support support) {
    return new MemoryInstance(new PagedBytes(LENGTH), LIMITS, support);
  }

  private RequestPipeline pipeline(PipelineOptions options) throws IOException {
    RequestPipeline pipeline = new RequestPipeline(record, options);
    pipeline.write(0, Images.bytes(LENGTH, 5), WriteFlags.NONE);
    record.clear();
    return pipeline;
  }

  @Test
  void splitsAtAlignmentAndLimit() throws IOException {
    RequestPipeline pipeline = pipeline(OPTIONS);

    pipeline.writeZeroes(3584, 512 + 5 * 4096 + 1024, WriteFlags.NONE);

    assertThat(record.calls(Kind.ZERO))
        .containsExactly(zero(4096, 16_384, WriteFlags.NONE), zero(20_480, 4096, WriteFlags.NONE));
    assertThat(record.calls(Kind.WRITE))
        .containsExactly(Call.of(Kind.WRITE, 3584, 512), Call.of(Kind.WRITE, 24_576, 1024));
  }

  @Test
  void theEndOfTheDiskCountsAsAligned() throws IOException {
    RequestPipeline pipeline = new RequestPipeline(record, OPTIONS);
    pipeline.write(0, Images.bytes(LENGTH + 700, 5), WriteFlags.NONE);
    record.clear();

    pipeline.writeZeroes(LENGTH, 700, WriteFlags.NONE);
    pipeline.discard(LENGTH, 700);

    assertThat(record.calls(Kind.ZERO)).containsExactly(zero(LENGTH, 700, WriteFlags.NONE));
    assertThat(record.calls(Kind.DISCARD)).containsExactly(Call.of(Kind.DISCARD, LENGTH, 700));
    assertThat(record.calls(Kind.WRITE)).isEmpty();
  }

  @Test
  void endsInUnitsThatAreZeroAlreadyAreNotWritten() throws IOException {
    RequestPipeline pipeline = pipeline(OPTIONS);
    pipeline.writeZeroes(0, 4 * 4096, WriteFlags.NONE);
    record.clear();

    pipeline.writeZeroes(100, 3 * 4096, WriteFlags.NONE);

    assertThat(record.calls(Kind.WRITE)).isEmpty();
    assertThat(record.calls(Kind.ZERO)).containsExactly(zero(4096, 8192, WriteFlags.NONE));
  }

  @Test
  void mayUnmapCountsOnlyWhereDiscardsDo() throws IOException {
    RequestPipeline keeps = pipeline(OPTIONS.withDiscard(DiscardMode.IGNORE));
    keeps.writeZeroes(0, 4096, WriteFlags.MAY_UNMAP);
    RequestPipeline unmaps = new RequestPipeline(record, OPTIONS);
    unmaps.writeZeroes(4096, 4096, WriteFlags.MAY_UNMAP);

    assertThat(record.calls(Kind.ZERO))
        .containsExactly(zero(0, 4096, WriteFlags.NONE), zero(4096, 4096, WriteFlags.MAY_UNMAP));
  }

  @Test
  void aDriverThatCannotGetsWrittenZeros() throws IOException {
    FaultInstance cannot =
        new FaultInstance(record, Set.of(Kind.ZERO), BlockError.NOT_SUPPORTED, false);
    RequestPipeline pipeline = new RequestPipeline(cannot, OPTIONS);
    pipeline.write(0, Images.bytes(LENGTH, 5), WriteFlags.NONE);
    record.clear();
    cannot.failFrom(0);

    pipeline.writeZeroes(4096, 8192, WriteFlags.NONE);

    assertThat(record.calls()).containsExactly(Call.of(Kind.WRITE, 4096, 8192));
    assertThat(Images.read(new PipelineIo(pipeline), 4096, 8192))
        .isEqualTo(ByteBuffer.allocate(8192));
  }

  @Test
  void withoutFallbackARefusalChangesNothing() throws IOException {
    FaultInstance cannot =
        new FaultInstance(record, Set.of(Kind.ZERO), BlockError.NOT_SUPPORTED, false);
    RequestPipeline pipeline = new RequestPipeline(cannot, OPTIONS);
    pipeline.write(0, Images.bytes(LENGTH, 5), WriteFlags.NONE);
    record.clear();
    cannot.failFrom(0);

    assertThatThrownBy(() -> pipeline.writeZeroes(100, 8192, WriteFlags.NO_FALLBACK))
        .isInstanceOfSatisfying(
            BlockException.class, e -> assertThat(e.error()).isEqualTo(BlockError.NOT_SUPPORTED))
        .hasMessage("zeros would have to be written: offset=4096 count=4096");

    assertThat(record.calls(Kind.WRITE)).isEmpty();
  }

  @Test
  void anOtherFailureIsNoReasonToWriteZeros() throws IOException {
    RequestPipeline pipeline = pipeline(OPTIONS);
    faults.failOnce(0);

    assertThatThrownBy(() -> pipeline.writeZeroes(4096, 4096, WriteFlags.NONE))
        .hasMessageContaining("injected failure");

    assertThat(record.calls(Kind.WRITE)).isEmpty();
  }

  @Test
  void longRequestsAreSerialisedPieceByPiece() throws IOException {
    RecordingInstance sparse = new RecordingInstance(MemoryInstance.ofLength(3L << 30));
    RequestPipeline pipeline = new RequestPipeline(sparse, OPTIONS);

    pipeline.writeZeroes(1, 600L << 20, WriteFlags.NONE);

    assertThat(sparse.calls(Kind.ZERO))
        .containsExactly(
            zero(1, (256L << 20) - 1, WriteFlags.NONE),
            zero(256L << 20, 256L << 20, WriteFlags.NONE),
            zero(512L << 20, (88L << 20) + 1, WriteFlags.NONE));
  }

  @Test
  void aZeroRequestHasItsWholeClustersToItself() throws Exception {
    GatedInstance gates = new GatedInstance(record);
    RequestPipeline pipeline = new RequestPipeline(gates, OPTIONS);
    pipeline.write(0, Images.bytes(8192, 5), WriteFlags.NONE);
    GatedInstance.Gate gate = gates.closeFor(Kind.WRITE);
    TestThread<Boolean> zeroing =
        TestThread.run(() -> pipeline.writeZeroes(512, 512, WriteFlags.NONE));
    gate.awaitArrival();

    TestThread<Boolean> neighbour =
        TestThread.run(() -> pipeline.write(7680, Images.bytes(512, 1), WriteFlags.NONE));
    neighbour.awaitBlocked();
    gate.open();

    zeroing.join();
    neighbour.join();
  }

  @Test
  void discardsWholeUnitsInsideTheRange() throws IOException {
    RequestPipeline pipeline = pipeline(OPTIONS);

    pipeline.discard(8191, 8192 * 6);
    pipeline.discard(1, 8192);

    assertThat(record.calls())
        .containsExactly(Call.of(Kind.DISCARD, 8192, 32_768), Call.of(Kind.DISCARD, 40_960, 8192));
  }

  @Test
  void ignoredAndUnsupportedDiscardsAreNoFailure() throws IOException {
    pipeline(OPTIONS.withDiscard(DiscardMode.IGNORE)).discard(0, LENGTH);
    assertThat(record.calls()).isEmpty();

    FaultInstance cannot =
        new FaultInstance(
            memory(MemoryInstance.FILE), Set.of(Kind.DISCARD), BlockError.NOT_SUPPORTED, false);
    cannot.failFrom(0);
    new RequestPipeline(cannot, OPTIONS).discard(0, LENGTH);

    assertThat(cannot.tripped()).isTrue();
  }

  @ParameterizedTest
  @EnumSource
  void writesOfZerosBecomeWhatTheModeSays(DetectZeroesMode mode) throws IOException {
    RequestPipeline pipeline = pipeline(OPTIONS.withDetectZeroes(mode));

    pipeline.write(4096, ByteBuffer.allocate(4096), WriteFlags.FUA);
    pipeline.write(8192, ByteBuffer.allocate(4096).put(4095, (byte) 1), WriteFlags.NONE);

    Call flush = Call.of(Kind.FLUSH, 0, 0);
    Call data = Call.of(Kind.WRITE, 8192, 4096);
    switch (mode) {
      case OFF ->
          assertThat(record.calls()).containsExactly(Call.of(Kind.WRITE, 4096, 4096), flush, data);
      case ON ->
          assertThat(record.calls())
              .containsExactly(zero(4096, 4096, WriteFlags.NONE), flush, data);
      case UNMAP ->
          assertThat(record.calls())
              .containsExactly(zero(4096, 4096, WriteFlags.MAY_UNMAP), flush, data);
    }
  }

  @Test
  void aDriverWithForceUnitAccessIsNotFlushed() throws IOException {
    Support file = MemoryInstance.FILE;
    Support fua = new Support(true, true, WriteFlags.FUA, file.zeroFlags(), true, true, true);
    RecordingInstance recording = new RecordingInstance(memory(fua));
    RequestPipeline pipeline =
        new RequestPipeline(recording, OPTIONS.withDetectZeroes(DetectZeroesMode.ON));

    pipeline.write(0, Images.bytes(512, 1), WriteFlags.FUA.with(WriteFlags.MAY_UNMAP));
    assertThat(recording.calls()).containsExactly(new Call(Kind.WRITE, 0, 512, WriteFlags.FUA));
    pipeline.write(4096, ByteBuffer.allocate(4096), WriteFlags.FUA);

    assertThat(recording.calls(Kind.FLUSH)).hasSize(1);
  }

  private static Call zero(long offset, long length, WriteFlags flags) {
    return new Call(Kind.ZERO, offset, length, flags);
  }
}
