// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.blkmount.block.backend.BlockBackend;
import io.blkmount.block.driver.NewSnapshot;
import io.blkmount.block.open.OpenOptions;
import io.blkmount.block.testing.QemuImg;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Instant;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The state of a machine, saved by us and loaded by qemu-io, and the other way round. */
final class VmStateTest {
  private static final int STATE = (2 << 20) + 777;

  @TempDir private Path folder;
  private Path file;

  @BeforeEach
  void nameFile() {
    file = folder.resolve("disk.qcow2");
  }

  private interface Work {
    void run(BlockBackend disk) throws IOException;
  }

  private void work(Work work) throws IOException {
    try (BlockBackend disk = BlockLayer.open(OpenOptions.of(file.toString()))) {
      work.run(disk);
    }
    QemuImg.requireClean(file, "after our work");
  }

  private static ByteBuffer filled(int length, int value) {
    ByteBuffer bytes = ByteBuffer.allocateDirect(length);
    while (bytes.hasRemaining()) {
      bytes.put((byte) value);
    }
    return bytes.flip();
  }

  private static NewSnapshot withState(String name, long length) {
    return new NewSnapshot(name, Instant.now(), 5, NewSnapshot.NO_ICOUNT, length);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"cluster_size=512", "cluster_size=64k", "cluster_size=16k,extended_l2=on"})
  void stateIsKeptByItsSnapshot(String options) throws IOException {
    QemuImg.create(file, "1000000", options);
    QemuImg.io(file, "write -P 1 0 500000");
    work(
        disk -> {
          disk.vmState().writeVmState(0, filled(STATE, 9));
          disk.internalSnapshots().createSnapshot(withState("first", STATE));
          disk.vmState().writeVmState(100, filled(STATE, 8));
          disk.internalSnapshots().createSnapshot(withState("second", STATE + 100));
          disk.write(0, filled(500_000, 2));
          ByteBuffer gone = ByteBuffer.allocateDirect(4096);
          disk.vmState().readVmState(0, gone);
          assertThat(gone.flip()).isEqualTo(ByteBuffer.allocate(4096));
        });

    assertThat(QemuImg.img("snapshot", "-l", file)).contains("first", "2 MiB");
    QemuImg.img("snapshot", "-a", "first", file);
    assertThat(QemuImg.io(file, "read -b -P 9 0 " + (STATE & -512), "read -P 1 0 500000"))
        .doesNotContain("failed");
    work(
        disk -> {
          disk.internalSnapshots().applySnapshot("second");
          ByteBuffer state = ByteBuffer.allocateDirect(STATE + 200);
          disk.vmState().readVmState(50, state);
          assertThat(state.slice(50, STATE)).isEqualTo(filled(STATE, 8));
          assertThat(state.get(STATE + 199)).isZero();
          disk.internalSnapshots().deleteSnapshot("second");
          disk.internalSnapshots().deleteSnapshot("first");
          ByteBuffer start = ByteBuffer.allocateDirect(1000);
          disk.read(0, start);
          assertThat(start.flip()).isEqualTo(filled(1000, 1));
        });
  }

  @Test
  void stateThatQemuIoSavedIsLoaded() throws IOException {
    QemuImg.create(file, "1M", "");
    QemuImg.io(file, "write -b -P 7 0 3M");

    work(
        disk -> {
          ByteBuffer state = ByteBuffer.allocateDirect(3 << 20);
          disk.vmState().readVmState(0, state);
          assertThat(state.flip()).isEqualTo(filled(3 << 20, 7));
          disk.internalSnapshots().createSnapshot(withState("a", 3 << 20));
        });
  }

  @Test
  void stateThatWasNotSavedIsRefused() throws IOException {
    QemuImg.create(file, "1M", "");

    work(
        disk ->
            assertThatThrownBy(() -> disk.internalSnapshots().createSnapshot(withState("a", 1)))
                .hasMessage("the state of the machine has 1 bytes, at most 0 were saved"));
  }
}
