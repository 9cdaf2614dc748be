// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse.channel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;

import io.blkmount.block.backend.BlockBackend;
import io.blkmount.block.testing.MemoryInstance;
import io.blkmount.fuse.MemoryDisks;
import io.blkmount.fuse.RawDisks;
import io.blkmount.fuse.ServedTree;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Passthrough that cannot be had: here the device refuses it, being none. */
final class KernelFilesTest {
  private static final int LENGTH = 1 << 16;
  private static final long FILE = 2;
  private static final long IN_MEMORY = 3;
  private static final int PASSTHROUGH = 1 << 7;

  @TempDir Path folder;
  private FakeKernel kernel;
  private BlockBackend file;
  private BlockBackend inMemory;
  private ServedTree served;

  @BeforeEach
  void serve() throws IOException {
    kernel = new FakeKernel();
    file = RawDisks.open(RawDisks.create(folder.resolve("disk.img"), LENGTH, 1));
    inMemory = MemoryDisks.over(MemoryInstance.ofLength(LENGTH));
    served = MemoryDisks.serve(file, inMemory);
  }

  @AfterEach
  void close() throws IOException {
    kernel.close();
    file.close();
    inMemory.close();
  }

  private KernelFiles files(boolean offered) {
    return new KernelFiles(kernel.device(), kernel.memory(), offered);
  }

  @Test
  void refusedFileIsServedAndComesBack() {
    RequestServer server = kernel.server(served, files(true));

    for (long inode : new long[] {FILE, IN_MEMORY, FILE}) {
      FakeKernel.Handle handle = kernel.open(server, inode, 2);
      assertThat(handle.openFlags() & PASSTHROUGH).isZero();
      assertThat(handle.backing()).isEqualTo(KernelFiles.NONE);
      assertThatCode(() -> file.requireWritesSeen("mirror")).doesNotThrowAnyException();
      KernelRequest read =
          KernelRequest.read(KernelRequest.READ, inode, handle.number(), 0, LENGTH);
      assertThat(kernel.call(server, read).data().remaining()).isEqualTo(LENGTH);
      kernel
          .call(server, KernelRequest.ofHandle(KernelRequest.RELEASE, inode, handle.number()))
          .requireDone();
    }
  }

  @Test
  void obstaclesAreSaidOnOneLineForEachFile() {
    KernelFiles files = files(true);

    for (int again = 0; again < 2; again++) {
      assertThat(files.obstacles(served.tree()))
          .containsExactly(
              "no passthrough of \"" + file.imageName() + "\": refused by the kernel: IO",
              "no passthrough of \"disk\": it is in memory");
    }
  }

  @Test
  void kernelWithoutPassthroughIsTheObstacleOfAll() {
    assertThat(files(false).obstacles(served.tree()))
        .containsExactly(
            "no passthrough of \"" + file.imageName() + "\": this kernel does not offer it",
            "no passthrough of \"disk\": this kernel does not offer it");
  }
}
