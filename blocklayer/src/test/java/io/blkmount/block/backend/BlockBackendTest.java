// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.backend;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.blkmount.block.driver.DriverInstance;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import io.blkmount.block.graph.BlockGraph;
import io.blkmount.block.graph.BlockNode;
import io.blkmount.block.request.PipelineOptions;
import io.blkmount.block.request.RequestPipeline;
import io.blkmount.block.testing.FaultInstance;
import io.blkmount.block.testing.ForwardingInstance;
import io.blkmount.block.testing.ForwardingInstance.Kind;
import io.blkmount.block.testing.Images;
import io.blkmount.block.testing.MemoryInstance;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
final class BlockBackendTest {
  private static final int LENGTH = 1 << 20;

  private final AtomicLong seconds = new AtomicLong(1000);
  private final ExecutorService pool = Executors.newCachedThreadPool();

  @AfterEach
  void endThreads() {
    pool.shutdown();
  }

  private BlockBackend backend(DriverInstance instance, boolean flushAfterWrite) {
    BlockGraph graph = new BlockGraph();
    RequestPipeline pipeline = new RequestPipeline(instance, PipelineOptions.writable("disk"));
    BlockNode node = new BlockNode("disk", "disk", "memory", pipeline, List.of());
    graph.add(node);
    BackendOptions options =
        new BackendOptions(
            "disk", "memory", flushAfterWrite, true, 5, FileLending.none("it is in memory"));
    return new BlockBackend(
        graph, node, options, () -> Instant.ofEpochSecond(seconds.getAndIncrement()));
  }

  @Test
  void closeWaitsForTheRequestsThatRunAndFlushesAfterThem() throws Exception {
    SlowInstance disk = new SlowInstance();
    BlockBackend backend = backend(disk, false);
    Future<Void> write =
        pool.submit(
            () -> {
              backend.write(0, Images.bytes(512, 1));
              return null;
            });
    disk.entered.await();

    Future<Void> close = pool.submit(closing(backend));
    while (!isClosed(backend)) {
      Thread.onSpinWait();
    }
    assertThat(close.isDone()).isFalse();
    disk.released.countDown();

    assertThat(write.get()).isNull();
    assertThat(close.get()).isNull();
    assertThat(disk.calls).containsExactly(Kind.WRITE, Kind.FLUSH, Kind.CLOSE);
  }

  private static Callable<Void> closing(BlockBackend backend) {
    return () -> {
      backend.close();
      return null;
    };
  }

  private static boolean isClosed(BlockBackend backend) throws IOException {
    try {
      return backend.length() < 0;
    } catch (BlockException e) {
      assertThat(e.error()).isEqualTo(BlockError.NO_MEDIUM);
      return true;
    }
  }

  @Test
  void requestsOfManyThreadsEitherEndOrAreRefusedWhenTheDiskCloses() throws Exception {
    MemoryInstance disk = MemoryInstance.ofLength(LENGTH);
    BlockBackend backend = backend(disk, false);
    CountDownLatch busy = new CountDownLatch(4);
    List<Future<Integer>> writers = new ArrayList<>();
    for (int i = 0; i < 4; i++) {
      long offset = i * 4096L;
      writers.add(pool.submit(() -> writeUntilClosed(backend, offset, busy)));
    }
    busy.await();

    backend.close();

    for (Future<Integer> writer : writers) {
      assertThat(writer.get(30, TimeUnit.SECONDS)).isGreaterThanOrEqualTo(100);
    }
  }

  private static int writeUntilClosed(BlockBackend backend, long offset, CountDownLatch busy)
      throws IOException {
    int count = 0;
    while (true) {
      try {
        backend.write(offset, Images.bytes(4096, offset));
      } catch (BlockException e) {
        assertThat(e.error()).isEqualTo(BlockError.NO_MEDIUM);
        return count;
      }
      if (++count == 100) {
        busy.countDown();
      }
    }
  }

  @Test
  void failedLastFlushIsSaidAndTheDiskIsClosedAllTheSame() throws IOException {
    SlowInstance disk = new SlowInstance();
    disk.released.countDown();
    FaultInstance faulty = new FaultInstance(disk, 1);
    BlockBackend backend = backend(faulty, false);
    backend.write(0, Images.bytes(512, 1));

    assertThatThrownBy(backend::close).isInstanceOf(BlockException.class);
    backend.close();

    assertThat(disk.calls).endsWith(Kind.CLOSE).doesNotContain(Kind.FLUSH);
  }

  @Test
  void writethroughFlushesAfterEachWrite() throws IOException {
    SlowInstance disk = new SlowInstance();
    disk.released.countDown();
    try (BlockBackend backend = backend(disk, true)) {
      backend.write(0, Images.bytes(512, 1));
      assertThat(disk.calls).containsExactly(Kind.WRITE, Kind.FLUSH);
      backend.writeZeroes(0, 512, false);
      assertThat(disk.calls).containsExactly(Kind.WRITE, Kind.FLUSH, Kind.ZERO, Kind.FLUSH);
    }
  }

  @Test
  void timeMovesWithChangesOnly() throws IOException {
    try (BlockBackend backend = backend(MemoryInstance.ofLength(LENGTH), false)) {
      backend.read(0, ByteBuffer.allocate(100));
      backend.flush();
      backend.reserve(0, 4096);
      assertThat(backend.modifiedNanos()).isEqualTo(5);

      backend.write(0, Images.bytes(1, 1));
      assertThat(backend.modifiedNanos()).isEqualTo(1000L * 1_000_000_000);
      backend.writeZeroes(0, 1, false);
      assertThat(backend.modifiedNanos()).isEqualTo(1001L * 1_000_000_000);
    }
  }

  @Test
  void spaceIsNeverNoneWhileAByteMayBeOtherThanZero() throws IOException {
    try (BlockBackend backend = backend(MemoryInstance.ofLength(LENGTH), false)) {
      assertThat(backend.allocatedBytes()).isZero();
      backend.write(700_000, Images.bytes(1, 1));
      assertThat(backend.allocatedBytes()).isBetween(4096L, (long) LENGTH);
    }
    MemoryInstance tiny = MemoryInstance.of(new byte[] {1});
    try (BlockBackend backend = backend(tiny, false)) {
      assertThat(backend.allocatedBytes()).isEqualTo(4096);
    }
  }

  /** Holds a write until it is released, and notes what is called. */
  private static final class SlowInstance extends ForwardingInstance {
    final CountDownLatch entered = new CountDownLatch(1);
    final CountDownLatch released = new CountDownLatch(1);
    final List<Kind> calls = Collections.synchronizedList(new ArrayList<>());

    SlowInstance() {
      super(MemoryInstance.ofLength(LENGTH));
    }

    @Override
    protected void before(Call call) {
      entered.countDown();
      try {
        released.await();
      } catch (InterruptedException e) {
        throw new AssertionError(e);
      }
      calls.add(call.kind());
    }
  }
}
