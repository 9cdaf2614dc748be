// SPDX-License-Identifier: Apache-2.0
package io.blkmount.nativetests;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.testing.QemuImg;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** An idle mount ends clean in each of the ways to end it. */
@OverBothTransports
final class UnmountTest {
  /** Counted from the state, the first after the name. */
  private static final int SESSION = 3;

  private static final int TERMINAL = 4;

  @RegisterExtension final Workbench bench;

  private Path image;
  private Path source;

  UnmountTest(String transport) {
    bench = new Workbench(transport);
  }

  @BeforeEach
  void makeAnImage() throws IOException {
    image = bench.qcow2("disk.qcow2", "4M");
    source = bench.randomFile("source", 4 << 20, 1);
  }

  @ParameterizedTest(name = "{0}")
  @ValueSource(
      strings = {"umount $1", "fusermount3 -u $1", "umount -l $1", "kill -TERM $2", "kill -INT $2"})
  void everyWayEndsInACleanImageAndNoProcess(String way) throws IOException {
    MountedImage mount = bench.mountInForeground(image);
    Shell.run("cp", source, mount.disk()).requireSuccess(); // not synced by the writer

    Shell.bash(way, mount.mountPoint(), mount.pid());

    assertThat(mount.awaitExit()).as("exit code of the server").isZero();
    requireEnded(mount);
  }

  @Test
  void ourUnmountReturnsWhenAllIsDone() throws IOException {
    MountedImage mount = bench.mount(image);
    Shell.run("cp", source, mount.disk()).requireSuccess();

    mount.unmountByCommand();

    requireEnded(mount);
  }

  @Test
  void ourUnmountTakesARelativeName() throws IOException {
    MountedImage mount = bench.mount(image);

    Shell.bash(
        "cd $1 && $2 --unmount $3",
        bench.folder(),
        Project.launcher(),
        mount.mountPoint().getFileName());

    assertThat(mount.isServed()).isFalse();
  }

  @Test
  void thePidFileLivesAsLongAsTheServer() throws IOException {
    MountedImage mount = bench.mount(image);
    assertThat(bench.path("server0.pid")).hasContent("" + mount.pid());

    mount.unmountByCommand();

    assertThat(bench.path("server0.pid")).doesNotExist();
  }

  @ParameterizedTest(name = "{0}")
  @ValueSource(strings = {"nowhere", "source"})
  void unmountingWhatIsNotMountedIsRefused(String name) {
    Shell.Result result = Shell.run(Project.launcher(), "--unmount", bench.path(name));

    assertThat(result.exitCode()).isEqualTo(1);
    assertThat(result.errorLines()).hasSize(1);
    assertThat(result.errors()).contains(bench.path(name).toString());
  }

  @Test
  void anotherProgramsMountIsLeftAlone() throws IOException {
    Path other = Files.createDirectory(bench.path("other"));
    Shell.run("mount", "-t", "tmpfs", "tmpfs", other).requireSuccess();

    Shell.Result result = Shell.run(Project.launcher(), "--unmount", other);

    assertThat(result.exitCode()).isEqualTo(1);
    assertThat(MountTable.contains(other)).isTrue();
  }

  @Test
  void theServerDependsOnNoTerminalAndNoFolder() throws IOException {
    MountedImage mount = bench.mount(image);

    assertThat(stat(mount.pid())[SESSION])
        .as("session of its own")
        .isNotEqualTo(stat(ProcessHandle.current().pid())[SESSION]);
    assertThat(stat(mount.pid())[TERMINAL]).as("terminal").isEqualTo("0");
    assertThat(Shell.bash("readlink /proc/$1/cwd", mount.pid())).isEqualTo("/");
  }

  /** A device that takes writes into the page cache and has no room for them. */
  @Test
  void aFailedLastFlushIsExitCodeOneAndSaid() throws IOException {
    Path full = Files.createDirectory(bench.path("full"));
    Shell.run("mount", "-t", "tmpfs", "-o", "size=1M", "tmpfs", full).requireSuccess();
    Shell.run("truncate", "-s", "8M", full.resolve("store")).requireSuccess();
    LoopDevice loop = bench.attach(full.resolve("store"));
    Shell.tryBash("cat /dev/zero > $1/filler", full);
    MountedImage mount = bench.mountInForeground("-f", "raw", loop.device());
    Shell.run("xfs_io", "-c", "pwrite 0 1m", mount.disk()).requireSuccess();

    Shell.Result refused = Shell.run(Project.launcher(), "--unmount", mount.mountPoint());
    assertThat(refused.exitCode()).isEqualTo(1);
    assertThat(refused.errors()).contains("cannot be flushed", "Input/output error");
    Shell.run("umount", mount.mountPoint()).requireSuccess();

    assertThat(mount.awaitExit()).isEqualTo(1);
    assertThat(mount.log()).contains("the last flush failed", loop.device().toString());
  }

  /** Returns the fields of /proc/PID/stat from the third on; the second is free text. */
  private static String[] stat(long pid) throws IOException {
    String stat = Files.readString(Path.of("/proc/" + pid + "/stat"));
    return stat.substring(stat.lastIndexOf(')') + 2).split(" ");
  }

  private void requireEnded(MountedImage mount) {
    assertThat(mount.isServed()).isFalse();
    assertThat(MountTable.contains(mount.mountPoint())).isFalse();
    Locks.requireReleased(image);
    QemuImg.requireClean(image, "after the unmount");
    QemuImg.requireSame(image, source, "after the unmount");
  }
}
