// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.file;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.blkmount.block.driver.Preallocation;
import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The length of files that grow, shrink, and fail to. */
final class FileLengthTest {
  private static final int MIB = 1 << 20;

  @TempDir Path directory;

  @Test
  void concurrentAppendersLoseNothing() throws Exception {
    int threads = 4;
    int blocks = 300;
    int block = 1000;
    Path path = Files.createFile(directory.resolve("disk.raw"));
    ExecutorService pool = Executors.newFixedThreadPool(threads + 1);
    try (HostFile file = HostImages.open(path, true)) {
      List<Callable<Void>> tasks = new ArrayList<>();
      for (int thread = 0; thread < threads; thread++) {
        int first = thread;
        tasks.add(
            () -> {
              for (int i = first; i < blocks * threads; i += threads) {
                long end = (i + 1L) * block;
                file.write(end - block, HostImages.filled(block, (byte) (i | 1)), WriteFlags.NONE);
                assertThat(file.length()).isGreaterThanOrEqualTo(end);
              }
              return null;
            });
      }
      tasks.add(
          () -> {
            for (int i = 0; i < blocks; i++) {
              file.writeZeroes(file.length(), 1, WriteFlags.MAY_UNMAP);
              file.invalidate();
            }
            return null;
          });
      for (Future<Void> task : pool.invokeAll(tasks)) {
        task.get();
      }
      assertThat(file.length()).isEqualTo(Files.size(path));
      assertThat(file.length()).isGreaterThanOrEqualTo((long) threads * blocks * block);
    } finally {
      pool.shutdown();
    }
  }

  @Test
  void interruptedThreadReadsAndWritesAsEver() throws IOException {
    Path path = Files.createFile(directory.resolve("disk.raw"));
    try (HostFile file = HostImages.open(path, true)) {
      Thread.currentThread().interrupt();
      file.write(0, HostImages.filled(4096, (byte) 5), WriteFlags.NONE);
      file.flush();
      ByteBuffer read = ByteBuffer.allocateDirect(4096);
      file.read(0, read);

      assertThat(Thread.interrupted()).isTrue();
      assertThat(read.flip()).isEqualTo(HostImages.filled(4096, (byte) 5));
    }
  }

  @ParameterizedTest
  @CsvSource({"FALLOC, off", "FULL, off", "FALLOC, on", "FULL, on"})
  void preallocatedSpaceIsThereAndZero(Preallocation preallocation, String direct)
      throws IOException {
    Path path = Files.write(directory.resolve("disk.raw"), new byte[] {1, 2, 3});
    try (HostFile file = HostImages.open(path.toString(), true, Map.of("cache.direct", direct))) {
      file.truncate(4 * MIB + 1, preallocation);
      file.flush();

      assertThat(file.length()).isEqualTo(4 * MIB + 1).isEqualTo(Files.size(path));
      assertThat(file.allocatedBytes()).isGreaterThanOrEqualTo(4 * MIB);
      ByteBuffer read = ByteBuffer.allocateDirect(4 * MIB);
      file.read(0, read);
      assertThat(read.flip().slice(0, 3)).isEqualTo(ByteBuffer.wrap(new byte[] {1, 2, 3}));
      assertThat(read.position(3)).isEqualTo(ByteBuffer.allocate(4 * MIB - 3));
      assertThatThrownBy(() -> file.truncate(MIB, preallocation))
          .hasMessage("cannot preallocate %s of \"disk.raw\" while it gets shorter", preallocation);
    }
  }

  @Test
  void invalidateAsksTheHostAgain() throws IOException {
    Path path = Files.write(directory.resolve("disk.raw"), new byte[3]);
    try (HostFile file = HostImages.open(path, false)) {
      Files.write(path, new byte[5]);

      file.invalidate();

      assertThat(file.length()).isEqualTo(5);
    }
  }

  @Test
  void reservedSpaceIsAllocatedAndChangesNothing() throws IOException {
    Path path = Files.createFile(directory.resolve("disk.raw"));
    try (HostFile file = HostImages.open(path, true)) {
      file.truncate(2 * MIB, Preallocation.OFF);
      file.reserve(MIB, MIB);

      assertThat(file.allocatedBytes()).isBetween((long) MIB, MIB + 65536L);
      assertThat(file.length()).isEqualTo(2 * MIB);
    }
  }

  @Test
  void fullFileSystemLeavesTheLengthAsItWas() throws IOException {
    assumeTrue(LoopDevice.isPossible(), "needs root to mount");
    LoopDevice.run("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", directory.toString());
    try {
      Path path = Files.createFile(directory.resolve("disk.raw"));
      try (HostFile file = HostImages.open(path, true)) {
        file.write(0, HostImages.filled(MIB / 2, (byte) 1), WriteFlags.NONE);

        assertNoSpace(() -> file.write(MIB / 2, HostImages.filled(MIB, (byte) 2), WriteFlags.NONE));
        assertThat(file.length()).isEqualTo(MIB / 2).isEqualTo(Files.size(path));
        assertNoSpace(() -> file.truncate(2 * MIB, Preallocation.FALLOC));
        assertThat(file.length()).isEqualTo(MIB / 2).isEqualTo(Files.size(path));
        assertNoSpace(() -> file.truncate(2 * MIB, Preallocation.FULL));
        assertThat(file.length()).isEqualTo(MIB / 2).isEqualTo(Files.size(path));
        file.truncate(4 * MIB, Preallocation.OFF);
        assertNoSpace(() -> file.reserve(0, 4 * MIB));
        file.write(MIB / 2, HostImages.filled(4096, (byte) 3), WriteFlags.NONE);
      }
    } finally {
      LoopDevice.run("umount", directory.toString());
    }
  }

  private static void assertNoSpace(ThrowingCallable call) {
    assertThatThrownBy(call)
        .hasMessageContaining("no space left on device: offset=")
        .extracting(failure -> ((BlockException) failure).error())
        .isEqualTo(BlockError.NO_SPACE);
  }
}
