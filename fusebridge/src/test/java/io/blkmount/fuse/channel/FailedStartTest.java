// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse.channel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import io.blkmount.block.testing.MemoryInstance;
import io.blkmount.fuse.Errnos;
import io.blkmount.fuse.ExportTree;
import io.blkmount.fuse.MemoryDisks;
import io.blkmount.fuse.MountOptions;
import io.blkmount.fuse.ServedTree;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A mount that cannot be served gives back what it took, once. */
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
final class FailedStartTest {
  /** A block of memory that is given back twice ends the process; one that is not is seen here. */
  private static final int STARTS = 400;

  private static final int KIB_OF_A_START = 1 << 10;

  @TempDir Path folder;

  /** As if so many threads were running already. */
  private static void fill(WorkerPool pool, ChannelSession session) {
    for (int i = 0; i < InitHandshake.MAX_BACKGROUND + 16; i++) {
      pool.workers().add(new FuseWorker(session, pool));
    }
  }

  /** Who started closes; if the session did as well, it would close the descriptor of another. */
  @Test
  void startWithoutAThreadLeavesTheDescriptorToWhoStarted() throws IOException {
    try (FakeKernel kernel = new FakeKernel();
        var disk = MemoryDisks.over(MemoryInstance.ofLength(512))) {
      ServedTree served = MemoryDisks.serve(disk);
      ChannelSession session = new ChannelSession(kernel.device(), kernel.memory(), served, 0);
      WorkerPool pool = new WorkerPool(session, 2);
      fill(pool, session);

      assertThatThrownBy(pool::start)
          .isInstanceOfSatisfying(
              BlockException.class, e -> assertThat(e.error()).isEqualTo(BlockError.NO_MEMORY));
      pool.workers().clear();
      pool.turns().place();
      pool.turns().pass();

      assertThat(pool.workers()).isEmpty();
      assertThat(session.hasEnded()).isFalse();
      assertThat(kernel.device().receive(kernel.memory())).isEqualTo(-Errnos.TRY_AGAIN);
    }
  }

  /** Options of which a part is missing fail where the descriptor has been taken over already. */
  @Test
  void failedMountLeavesNoDescriptorAndNoMemory() throws IOException {
    FreshMount.assumePossible();
    String mountPoint = Files.createDirectory(folder.toRealPath().resolve("mnt")).toString();
    MountOptions broken = new MountOptions("disk", false, false, 0, 0, 0, null, List.of());
    try (var disk = MemoryDisks.over(MemoryInstance.ofLength(512))) {
      ServedTree served = ServedTree.of(ExportTree.directory(List.of(disk)), broken);
      fail(mountPoint, served);
      long descriptors = FreshMount.openDescriptors();
      long memory = addressSpaceKib();

      for (int i = 0; i < STARTS; i++) {
        fail(mountPoint, served);
      }

      assertThat(FreshMount.openDescriptors()).isEqualTo(descriptors);
      assertThat(addressSpaceKib() - memory).isLessThan(STARTS * KIB_OF_A_START / 2);
      assertThat(FreshMount.shown(mountPoint)).isNull();
    }
  }

  private static void fail(String mountPoint, ServedTree served) {
    assertThatThrownBy(() -> new ChannelTransport().mount(mountPoint, served))
        .isInstanceOf(NullPointerException.class)
        .hasNoSuppressedExceptions();
  }

  private static long addressSpaceKib() throws IOException {
    for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
      if (line.startsWith("VmSize:")) {
        return Long.parseLong(line.replaceAll("\\D", ""));
      }
    }
    throw new IOException("no VmSize");
  }
}
