// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.nio.file.ExtendedOpenOption;
import io.blkmount.block.backend.BlockBackend;
import io.blkmount.block.driver.DriverInstance;
import io.blkmount.block.testing.ForwardingInstance;
import io.blkmount.block.testing.MemoryInstance;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A disk that does not answer some requests must not keep others from being answered. */
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
final class StalledDiskTest {
  private static final int BLOCK = 4096;
  private static final int READERS = 60;

  @TempDir Path folder;

  /** Holds every read until it is told to go on. */
  private static final class StalledReads extends ForwardingInstance {
    private final CountDownLatch arrived = new CountDownLatch(READERS);
    private final CountDownLatch goOn = new CountDownLatch(1);

    StalledReads(DriverInstance inner) {
      super(inner);
    }

    @Override
    protected void before(Call call) throws IOException {
      if (call.kind() == Kind.READ) {
        arrived.countDown();
        try {
          goOn.await();
        } catch (InterruptedException e) {
          throw new InterruptedIOException();
        }
      }
    }
  }

  @ParameterizedTest(name = "{0} waiting")
  @ValueSource(ints = {1, 2, 4})
  void otherRequestsGoOnWhileManyReadsAreStuck(int threads) throws Exception {
    StalledReads host = new StalledReads(MemoryInstance.ofLength((READERS + 1) * BLOCK));
    BlockBackend disk = MemoryDisks.over(host);
    MountOptions options =
        MountOptions.of("disk", 0, 0)
            .withServing(MountedDisk.serving("channel").withThreads(threads));
    ExecutorService programs = Executors.newFixedThreadPool(READERS);
    try (MountedDisk mounted = MountedDisk.on(folder.resolve("mnt"), disk, options)) {
      try {
        List<Future<Integer>> reads = startReads(mounted.file(), programs);
        host.arrived.await();

        assertThat(Files.getFileStore(mounted.file()).getTotalSpace()).isPositive();
        writeLastBlock(mounted.file());

        assertThat(reads).noneMatch(Future::isDone);
        host.goOn.countDown();
        for (Future<Integer> read : reads) {
          assertThat(read.get()).isEqualTo(BLOCK);
        }
      } finally {
        host.goOn.countDown();
      }
    } finally {
      programs.shutdownNow();
    }
  }

  private static List<Future<Integer>> startReads(Path file, ExecutorService programs) {
    List<Future<Integer>> reads = new ArrayList<>();
    for (int i = 0; i < READERS; i++) {
      long offset = (long) i * BLOCK;
      reads.add(programs.submit(() -> readDirectly(file, offset)));
    }
    return reads;
  }

  private static int readDirectly(Path file, long offset) throws IOException {
    try (FileChannel channel =
        FileChannel.open(file, StandardOpenOption.READ, ExtendedOpenOption.DIRECT)) {
      return channel.read(
          ByteBuffer.allocateDirect(2 * BLOCK).alignedSlice(BLOCK).limit(BLOCK), offset);
    }
  }

  private static void writeLastBlock(Path file) throws IOException {
    try (FileChannel channel =
        FileChannel.open(file, StandardOpenOption.WRITE, ExtendedOpenOption.DIRECT)) {
      ByteBuffer block = ByteBuffer.allocateDirect(2 * BLOCK).alignedSlice(BLOCK).limit(BLOCK);
      assertThat(channel.write(block, (long) READERS * BLOCK)).isEqualTo(BLOCK);
    }
  }
}
