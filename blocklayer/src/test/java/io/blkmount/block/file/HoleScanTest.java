// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.file;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.driver.Extent;
import io.blkmount.block.driver.Preallocation;
import io.blkmount.block.driver.WriteFlags;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class HoleScanTest {
  private static final int MIB = 1 << 20;

  @TempDir Path directory;

  @Test
  void dataAndHolesAreTold() throws IOException {
    try (HostFile file = sparse(8 * MIB)) {
      file.write(2 * MIB, HostImages.filled(MIB, (byte) 1), WriteFlags.NONE);

      assertThat(file.extentAt(0, 8 * MIB)).isEqualTo(Extent.zero(0, 2 * MIB));
      assertThat(file.extentAt(MIB, 5)).isEqualTo(Extent.zero(MIB, 5));
      assertThat(file.extentAt(2 * MIB + 7, 8 * MIB))
          .isEqualTo(Extent.data(2 * MIB + 7, MIB - 7, 2 * MIB + 7));
      assertThat(file.extentAt(3 * MIB, 100L * MIB)).isEqualTo(Extent.zero(3 * MIB, 5 * MIB));
    }
  }

  @Test
  void everyKindOfChangeIsSeenAtOnce() throws IOException {
    try (HostFile file = sparse(4 * MIB)) {
      assertThat(file.extentAt(0, MIB).kind()).isEqualTo(Extent.Kind.ZERO);
      file.write(0, HostImages.filled(MIB, (byte) 1), WriteFlags.NONE);
      assertThat(file.extentAt(0, MIB).kind()).isEqualTo(Extent.Kind.DATA);
      file.writeZeroes(0, MIB, WriteFlags.MAY_UNMAP);
      assertThat(file.extentAt(0, MIB).kind()).isEqualTo(Extent.Kind.ZERO);
      file.truncate(0, Preallocation.OFF);
      file.write(0, HostImages.filled(8 * MIB, (byte) 1), WriteFlags.NONE);
      assertThat(file.extentAt(0, 8 * MIB)).isEqualTo(Extent.data(0, 8 * MIB, 0));
      file.discard(MIB, MIB);
      assertThat(file.extentAt(0, 8 * MIB)).isEqualTo(Extent.data(0, MIB, 0));
    }
  }

  @Test
  void whatIsWrittenIsNeverCalledAHole() throws Exception {
    int block = 4096;
    int blocks = 4000;
    AtomicLong written = new AtomicLong();
    ExecutorService pool = Executors.newSingleThreadExecutor();
    try (HostFile file = sparse((long) block * blocks)) {
      Future<?> writer =
          pool.submit(
              () -> {
                for (int i = 0; i < blocks; i++) {
                  file.write((long) i * block, HostImages.filled(block, (byte) 1), WriteFlags.NONE);
                  written.incrementAndGet();
                }
                return null;
              });
      for (long done = 0; done < blocks; done = written.get()) {
        if (done > 0) {
          Extent last = file.extentAt((done - 1) * block, block);
          assertThat(last.kind()).as("block %d", done - 1).isEqualTo(Extent.Kind.DATA);
        }
        if (done < blocks) {
          file.extentAt(done * block, (blocks - done) * block);
        }
      }
      writer.get();
    } finally {
      pool.shutdown();
    }
  }

  private HostFile sparse(long length) throws IOException {
    Path path = Files.createFile(directory.resolve("disk.raw"));
    HostFile file = HostImages.open(path, true);
    file.truncate(length, Preallocation.OFF);
    return file;
  }
}
