// SPDX-License-Identifier: Apache-2.0
package io.blkmount.nativetests;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.testing.QemuImg;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** What a newcomer types first. */
final class DemoTest {
  @RegisterExtension final Workbench bench = new Workbench();

  @Test
  void theDemoIsMadeMountedWrittenAndUnmounted() throws IOException {
    Path demo = bench.path("demo");

    String printed =
        Shell.bash(
            "$1 $3 --demo $2 && dd if=/dev/urandom of=$2/mnt/disk.raw bs=1M count=4"
                + " conv=notrunc,fsync",
            Project.launcher(),
            demo,
            bench.fuseOption());

    assertThat(printed).contains("ls -l", "dd ", "cmp ", "losetup", "--unmount");
    assertThat(Shell.tryBash("cmp $1/base.img $1/mnt/disk.raw", demo).exitCode()).isEqualTo(1);
    unmount(demo);
    QemuImg.requireClean(demo.resolve("disk.qcow2"), "the demo");
  }

  @Test
  void theDemoTwiceInARowKeepsWhatWasWritten() throws IOException {
    Path demo = bench.path("demo");
    Shell.run(Project.launcher(), bench.fuseOption(), "--demo", demo).requireSuccess();
    Shell.run("xfs_io", "-c", "pwrite -S 5 0 1m", demo.resolve("mnt/disk.raw")).requireSuccess();
    Path copy = Files.copy(demo.resolve("mnt/disk.raw"), bench.path("copy"));

    Shell.run(Project.launcher(), bench.fuseOption(), "--demo", demo).requireSuccess();
    Contents.requireSame(copy, demo.resolve("mnt/disk.raw"));
    unmount(demo);

    Shell.run(Project.launcher(), bench.fuseOption(), "--demo", demo).requireSuccess();
    Contents.requireSame(copy, demo.resolve("mnt/disk.raw"));
    unmount(demo);
  }

  /** The overlay of the first page, word for word but for where the files are. */
  @Test
  void aFileSystemOnAnOverlay() throws IOException {
    bench.randomFile("base.img", 64 << 20, 1);
    Path mountPoint = Files.createDirectory(bench.path("d"));

    String checked =
        Shell.bash(
            """
            cd $2
            qemu-img create -f qcow2 -b base.img -F raw top.qcow2 && $1 top.qcow2 $3 && mkfs.ext4 $3/top.raw && $1 --unmount $3 && qemu-img check top.qcow2
            """,
            Project.launcher(),
            bench.folder(),
            mountPoint);

    assertThat(checked).contains("No errors were found on the image.");
  }

  @Test
  void helpFitsATerminalAndHasThreeExamples() {
    String help = Shell.run(Project.launcher(), "--help").requireSuccess();

    assertThat(help.lines()).allMatch(line -> line.length() <= 80, "80 columns");
    assertThat(help).contains("Examples:", "Exit codes:");
    assertThat(Shell.run(Project.launcher(), "--version").requireSuccess().lines()).hasSize(1);
  }

  private static void unmount(Path demo) {
    Shell.run(Project.launcher(), "--unmount", demo.resolve("mnt")).requireSuccess();
  }
}
