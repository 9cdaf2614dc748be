// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.request;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.blkmount.block.driver.DriverInstance;
import io.blkmount.block.driver.HostStored;
import io.blkmount.block.driver.Preallocation;
import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import io.blkmount.block.testing.FaultInstance;
import io.blkmount.block.testing.ForwardingInstance;
import io.blkmount.block.testing.ForwardingInstance.Kind;
import io.blkmount.block.testing.Images;
import io.blkmount.block.testing.MemoryInstance;
import io.blkmount.block.testing.RecordingInstance;
import java.io.IOException;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class FlushSequenceTest {
  private static final PipelineOptions OPTIONS = PipelineOptions.writable("disk");

  private final FaultInstance medium =
      new FaultInstance(MemoryInstance.ofLength(4096), Set.of(Kind.FLUSH), BlockError.IO, false);
  private final GatedInstance gates = new GatedInstance(medium);
  private final RecordingInstance record = new RecordingInstance(gates);
  private final RequestPipeline pipeline = new RequestPipeline(record, OPTIONS);

  @Test
  void theFirstFlushIsMadeAndOneWithNothingNewIsSkipped() throws IOException {
    pipeline.flush();
    pipeline.flush();
    assertThat(flushes()).isEqualTo(1);

    write(pipeline);
    pipeline.flush();
    pipeline.flush();

    assertThat(flushes()).isEqualTo(2);
  }

  @Test
  void everyKindOfChangeNeedsAFlush() throws IOException {
    pipeline.flush();
    pipeline.writeZeroes(0, 10, WriteFlags.NONE);
    pipeline.flush();
    pipeline.discard(0, 10);
    pipeline.flush();
    pipeline.reserve(0, 10);
    pipeline.flush();
    pipeline.truncate(100, Preallocation.OFF);
    pipeline.flush();

    assertThat(flushes()).isEqualTo(5);
  }

  @Test
  void aFailedWriteNeedsAFlushToo() throws IOException {
    FaultInstance full =
        new FaultInstance(
            MemoryInstance.ofLength(4096), Set.of(Kind.WRITE), BlockError.NO_SPACE, true);
    RecordingInstance recording = new RecordingInstance(full);
    RequestPipeline disk = new RequestPipeline(recording, OPTIONS);
    disk.flush();
    full.failOnce(0);

    assertThatThrownBy(() -> write(disk)).isInstanceOf(BlockException.class);
    disk.flush();

    assertThat(recording.calls(Kind.FLUSH)).hasSize(2);
  }

  @Test
  void whoArrivesWhileOneRunsSharesTheNext() throws Exception {
    GatedInstance.Gate gate = gates.closeFor(Kind.FLUSH);
    TestThread<Boolean> first = TestThread.run(pipeline::flush);
    gate.awaitArrival();
    write(pipeline);
    TestThread<Boolean> second = TestThread.run(pipeline::flush).awaitBlocked();
    TestThread<Boolean> third = TestThread.run(pipeline::flush).awaitBlocked();
    assertThat(flushes()).isEqualTo(1);

    gate.open();

    first.join();
    second.join();
    third.join();
    assertThat(flushes()).isEqualTo(2);
  }

  @Test
  void aWriteThatEndsWhileOneRunsIsNotCovered() throws Exception {
    GatedInstance.Gate gate = gates.closeFor(Kind.FLUSH);
    TestThread<Boolean> first = TestThread.run(pipeline::flush);
    gate.awaitArrival();
    write(pipeline);
    gate.open();
    first.join();

    pipeline.flush();

    assertThat(flushes()).isEqualTo(2);
  }

  @Test
  void aFailureGoesToAllWhoShareItAndIsNoProgress() throws Exception {
    GatedInstance.Gate gate = gates.closeFor(Kind.FLUSH);
    TestThread<Boolean> first = TestThread.run(pipeline::flush);
    gate.awaitArrival();
    write(pipeline);
    TestThread<Boolean> second = TestThread.run(pipeline::flush).awaitBlocked();
    TestThread<Boolean> third = TestThread.run(pipeline::flush).awaitBlocked();

    medium.failOnce(1);
    gate.open();

    first.join();
    assertThatThrownBy(second::join).hasMessageContaining("injected failure");
    assertThatThrownBy(third::join).hasMessageContaining("injected failure");
    pipeline.flush();
    assertThat(flushes()).isEqualTo(3);
  }

  @Test
  void afterAFailedFlushOfAHostFileEveryLaterOneFails() throws IOException {
    RequestPipeline file = new RequestPipeline(new HostFile(record), OPTIONS);
    medium.failOnce(0);
    assertThatThrownBy(file::flush).isInstanceOf(BlockException.class);

    write(file);

    assertThatThrownBy(file::flush)
        .isInstanceOfSatisfying(
            BlockException.class, e -> assertThat(e.error()).isEqualTo(BlockError.IO));
    assertThat(flushes()).isEqualTo(1);
  }

  @Test
  void thoseWhoWaitBehindAFailingFlushOfAHostFileFailToo() throws Exception {
    RequestPipeline file = new RequestPipeline(new HostFile(record), OPTIONS);
    medium.failOnce(0);
    GatedInstance.Gate gate = gates.closeFor(Kind.FLUSH);
    TestThread<Boolean> first = TestThread.run(file::flush);
    gate.awaitArrival();
    write(file);
    TestThread<Boolean> second = TestThread.run(file::flush).awaitBlocked();
    TestThread<Boolean> third = TestThread.run(file::flush).awaitBlocked();

    gate.open();

    for (TestThread<Boolean> thread : List.of(first, second, third)) {
      assertThatThrownBy(thread::join).hasMessageContaining("injected failure");
    }
    assertThat(flushes()).isEqualTo(1);
  }

  @Test
  void anErrorInTheDriverLeavesNobodyWaiting() throws Exception {
    ForwardingInstance broken =
        new ForwardingInstance(gates) {
          @Override
          protected void before(Call call) {}

          @Override
          public void flush() throws IOException {
            super.flush();
            throw new OutOfMemoryError("test");
          }
        };
    RequestPipeline disk = new RequestPipeline(broken, OPTIONS);
    GatedInstance.Gate gate = gates.closeFor(Kind.FLUSH);
    TestThread<Boolean> first = TestThread.run(disk::flush);
    gate.awaitArrival();
    GatedInstance.Gate next = gates.closeFor(Kind.FLUSH);
    TestThread<Boolean> second = TestThread.run(disk::flush).awaitBlocked();
    gate.open();
    next.awaitArrival();
    TestThread<Boolean> third = TestThread.run(disk::flush).awaitBlocked();
    next.open();

    assertThatThrownBy(first::join).hasRootCauseInstanceOf(OutOfMemoryError.class);
    assertThatThrownBy(second::join).hasRootCauseInstanceOf(OutOfMemoryError.class);
    assertThatThrownBy(third::join).hasRootCauseInstanceOf(OutOfMemoryError.class);
    disk.drain();
  }

  @Test
  void withoutFlushesDataIsOnlyWrittenBack() throws IOException {
    RequestPipeline unsafe = new RequestPipeline(record, OPTIONS.withNoFlush(true));

    unsafe.write(0, Images.bytes(10, 1), WriteFlags.FUA);
    unsafe.flush();

    assertThat(flushes()).isZero();
    assertThat(record.calls(Kind.WRITE_BACK)).hasSize(2);
  }

  @Test
  void aReadOnlyNodeHasNothingToFlush() throws IOException {
    RequestPipeline readOnly = new RequestPipeline(record, PipelineOptions.readOnly("base"));

    readOnly.flush();
    readOnly.writeBack();

    assertThat(record.calls()).isEmpty();
  }

  private int flushes() {
    return record.calls(Kind.FLUSH).size();
  }

  private static void write(RequestPipeline pipeline) throws IOException {
    pipeline.write(0, Images.bytes(10, 1), WriteFlags.NONE);
  }

  /** The same instance, said to be a host file. */
  private static final class HostFile extends ForwardingInstance implements HostStored {
    HostFile(DriverInstance inner) {
      super(inner);
    }

    @Override
    protected void before(Call call) {}

    @Override
    public FileKey fileKey() {
      return new FileKey(1, 1);
    }

    @Override
    public long modifiedNanos() {
      return 0;
    }
  }
}
