// SPDX-License-Identifier: Apache-2.0
package io.blkmount.nativetests;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.testing.QemuImg;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A mount that somebody uses when it is asked to end. */
@OverBothTransports
final class BusyMountTest {
  private static final byte[] BLOCK = Contents.random(4096, 1);

  @RegisterExtension final Workbench bench;

  private Path image;
  private MountedImage mount;
  private FileChannel handle;

  BusyMountTest(String transport) {
    bench = new Workbench(transport);
  }

  @BeforeEach
  void mountAndOpen() throws IOException {
    image = bench.qcow2("disk.qcow2", "4M");
    mount = bench.mountInForeground(image);
    handle = FileChannel.open(mount.disk(), StandardOpenOption.READ, StandardOpenOption.WRITE);
    bench.closing(this::closeWhateverItSays);
  }

  @Test
  void ourUnmountFailsAndNamesTheHolder() throws IOException {
    Shell.Result result = Shell.run(Project.launcher(), "--unmount", mount.mountPoint());

    assertThat(result.exitCode()).isEqualTo(1);
    assertThat(result.errorLines()).hasSize(1);
    assertThat(result.errors()).contains("busy", "" + ProcessHandle.current().pid());
    writeBlock(0);
    assertThat(MountTable.contains(mount.mountPoint())).isTrue();
  }

  @Test
  void aProcessInsideTheMountIsNamedToo() throws Exception {
    handle.close();
    Process inside = new ProcessBuilder("cat").directory(mount.mountPoint().toFile()).start();
    bench.closing(inside::destroyForcibly);

    Shell.Result result = Shell.run(Project.launcher(), "--unmount", mount.mountPoint());

    assertThat(result.exitCode()).isEqualTo(1);
    assertThat(result.errors()).contains("busy", "" + inside.pid(), "cat");
    inside.destroyForcibly().waitFor();
    mount.unmountByCommand();
  }

  @ParameterizedTest(name = "{0}")
  @ValueSource(strings = {"umount $1", "fusermount3 -u $1"})
  void plainUnmountIsRefusedAndNothingIsLost(String way) throws IOException {
    assertThat(Shell.tryBash(way, mount.mountPoint()).exitCode()).isNotZero();

    writeBlock(0);
    handle.close();
    mount.unmount();

    requireBlocks(1);
  }

  @Test
  void lazyUnmountServesTheLastHandle() throws IOException {
    Shell.run(Project.launcher(), "--unmount", "--lazy", mount.mountPoint()).requireSuccess();

    assertThat(MountTable.contains(mount.mountPoint())).isFalse();
    writeBlock(0);
    handle.close();

    assertThat(mount.awaitExit()).isZero();
    requireBlocks(1);
  }

  @ParameterizedTest(name = "SIG{0}")
  @ValueSource(strings = {"TERM", "INT"})
  void aSignalDetachesAndServesUntilTheLastHandleIsClosed(String signal) throws IOException {
    writeBlock(0);

    mount.signal(signal);

    awaitDetached();
    writeBlock(1);
    handle.close();
    assertThat(mount.awaitExit()).isZero();
    requireBlocks(2);
  }

  @Test
  void aSignalCutsHandlesOffAfterTenSeconds() throws IOException {
    writeBlock(0);
    long before = System.nanoTime();

    mount.signal("TERM");

    assertThat(mount.awaitExit()).isEqualTo(1);
    assertThat(Duration.ofNanos(System.nanoTime() - before))
        .isBetween(Duration.ofMillis(9_500), Duration.ofSeconds(20));
    assertThat(mount.log()).contains("cut off");
    requireBlocks(1);
  }

  @Test
  void aSecondSignalSkipsTheWait() throws IOException {
    writeBlock(0);
    long before = System.nanoTime();

    mount.signal("TERM");
    awaitDetached();
    mount.signal("TERM");

    assertThat(mount.awaitExit()).isEqualTo(1);
    assertThat(Duration.ofNanos(System.nanoTime() - before)).isLessThan(Duration.ofSeconds(8));
    requireBlocks(1);
  }

  @Test
  void aSignalUnderLoadServesTheLoadToItsEnd() throws IOException {
    handle.close();
    Shell.bash(
        """
        fio --name=w --rw=randwrite --bs=4k --size=4m --runtime=3 --time_based --ioengine=libaio \
          --iodepth=16 --direct=1 --allow_file_create=0 --output=/dev/null --filename=$1 &
        until [ "$(stat -c %s $3)" -gt 3000000 ]; do :; done
        kill -TERM $2
        wait $!
        """,
        mount.disk(), mount.pid(), image);

    assertThat(mount.awaitExit()).isZero();
    Locks.requireReleased(image);
    QemuImg.requireClean(image, "after a signal under load");
  }

  /** The handle of a server that was cut off cannot be closed without an error. */
  private void closeWhateverItSays() {
    try {
      handle.close();
    } catch (IOException cutOff) {
      assertThat(mount.isServed()).isFalse();
    }
  }

  private void awaitDetached() {
    Await.until("detached", Duration.ofSeconds(8), () -> !MountTable.contains(mount.mountPoint()));
  }

  private void writeBlock(int index) throws IOException {
    assertThat(handle.write(ByteBuffer.wrap(BLOCK), (long) index * BLOCK.length))
        .isEqualTo(BLOCK.length);
  }

  /** Fails unless the image is closed clean and holds the first blocks. */
  private void requireBlocks(int count) throws IOException {
    Locks.requireReleased(image);
    QemuImg.requireClean(image, "after the end");
    Path raw = bench.path("raw");
    QemuImg.toRaw(image, raw);
    try (FileChannel channel = FileChannel.open(raw)) {
      for (int i = 0; i < count; i++) {
        ByteBuffer block = ByteBuffer.allocate(BLOCK.length);
        channel.read(block, (long) i * BLOCK.length);
        assertThat(block.array()).as("block " + i).isEqualTo(BLOCK);
      }
    }
  }
}
