// SPDX-License-Identifier: Apache-2.0
package io.blkmount.nativetests;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.testing.QemuImg;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Images over images. */
final class ChainTest {
  private static final int LENGTH = 4 << 20;

  @RegisterExtension final Workbench bench = new Workbench();

  @Test
  void writesGoToTheTopOfAThreeDeepChain() throws IOException {
    Path base = bench.randomFile("base.raw", LENGTH, 1);
    Path middle = bench.overlay("middle.qcow2", "base.raw", "raw");
    QemuImg.io(middle, "write -P 7 1m 100k");
    Path top = bench.overlay("top.qcow2", "middle.qcow2", "qcow2");
    Path expected = bench.path("expected");
    QemuImg.toRaw(top, expected);
    String[] below = {Contents.digest(base), Contents.digest(middle)};
    MountedImage mount = bench.mount(top);
    Contents.requireSame(expected, mount.disk());

    for (Path file : new Path[] {mount.disk(), expected}) {
      Shell.run("xfs_io", "-c", "pwrite -S 8 1000001 70000", "-c", "fsync", file).requireSuccess();
    }

    Contents.requireSame(expected, mount.disk());
    mount.unmount();
    QemuImg.requireSame(top, expected, "three deep");
    QemuImg.requireClean(top, "three deep");
    assertThat(new String[] {Contents.digest(base), Contents.digest(middle)}).isEqualTo(below);
  }

  @Test
  void twoOverlaysOnOneBaseAtOnce() throws IOException {
    Path base = bench.randomFile("base.raw", LENGTH, 2);
    String before = Contents.digest(base);
    Path one = bench.overlay("one.qcow2", "base.raw", "raw");
    Path two = bench.overlay("two.qcow2", "base.raw", "raw");
    MountedImage first = bench.mount(one);
    MountedImage second = bench.mount(two);

    Shell.run("xfs_io", "-c", "pwrite -S 1 0 1m", first.disk()).requireSuccess();
    Shell.run("xfs_io", "-c", "pwrite -S 2 1m 1m", second.disk()).requireSuccess();

    Shell.bash("cmp -i 1M $1 $2", first.disk(), base);
    Shell.bash("cmp -n 1M $1 $2", second.disk(), base);
    first.unmount();
    second.unmount();
    assertThat(Contents.digest(base)).isEqualTo(before);
    QemuImg.requireClean(one, "one");
    QemuImg.requireClean(two, "two");
  }

  @Test
  void twoOverlaysOnOneBaseInOneServer() throws IOException {
    Path base = bench.randomFile("base.raw", LENGTH, 3);
    Path one = bench.overlay("one.qcow2", "base.raw", "raw");
    Path two = bench.overlay("two.qcow2", "base.raw", "raw");
    MountedImage mount = bench.mount(one, two);

    Shell.run("xfs_io", "-c", "pwrite -S 1 0 1m", mount.mountPoint().resolve("one.raw"))
        .requireSuccess();

    Contents.requireSame(base, mount.mountPoint().resolve("two.raw"));
    mount.unmount();
    QemuImg.requireClean(one, "one");
  }

  @ParameterizedTest(name = "backing file of {0} bytes")
  @ValueSource(ints = {0, 512, (1 << 20) + 512, LENGTH, 2 * LENGTH})
  void aBackingFileMayBeShorterOrLonger(int backingLength) throws IOException {
    bench.randomFile("base.raw", backingLength, 4);
    Path top = bench.path("top.qcow2");
    QemuImg.img("create", "-q", "-f", "qcow2", "-b", "base.raw", "-F", "raw", top, LENGTH);
    Path expected = bench.path("expected");
    QemuImg.toRaw(top, expected);

    MountedImage mount = bench.mount(top);

    Contents.requireSame(expected, mount.disk());
    for (Path file : new Path[] {mount.disk(), expected}) {
      Shell.run("xfs_io", "-c", "pwrite -S 8 1048000 1000", file).requireSuccess();
    }
    Contents.requireSame(expected, mount.disk());
    mount.unmount();
    QemuImg.requireSame(top, expected, backingLength);
  }

  @Test
  void relativeNamesAreLookedUpFromTheirImage() throws IOException {
    Files.createDirectories(bench.path("images/bases"));
    Path base = bench.randomFile("images/bases/base.raw", LENGTH, 5);
    bench.overlay("images/middle.qcow2", "bases/base.raw", "raw");
    bench.overlay("top.qcow2", "images/middle.qcow2", "qcow2");
    Path mountPoint = Files.createDirectory(bench.path("mnt"));

    Shell.bash(
        "cd / && $1 $3 --log-file $2/log ${2#/}/top.qcow2 ${2#/}/mnt",
        Project.launcher(),
        bench.folder(),
        bench.fuseOption());

    Contents.requireSame(base, mountPoint.resolve("top.raw"));
    Shell.bash("cd $2/images && $1 --unmount ../mnt", Project.launcher(), bench.folder());
  }

  @Test
  void aBackingNameMayBeAFileUrlOrAbsolute() throws IOException {
    Path base = bench.randomFile("base.raw", LENGTH, 6);
    bench.overlay("middle.qcow2", base, "raw");
    Path top = bench.overlay("top.qcow2", "file:" + bench.path("middle.qcow2"), "qcow2");

    Contents.requireSame(base, bench.mount(top).disk());
  }

  @Test
  void aBackingFileMayLieOnAReadOnlyFileSystem() throws IOException {
    Path folder = Files.createDirectory(bench.path("bases"));
    Path base = bench.randomFile("bases/base.raw", LENGTH, 7);
    Path top = bench.overlay("top.qcow2", base, "raw");
    Shell.bash("mount --bind $1 $1 && mount -o remount,bind,ro $1", folder);

    MountedImage mount = bench.mount(top);

    Contents.requireSame(base, mount.disk());
    Shell.run("xfs_io", "-c", "pwrite 0 4k", mount.disk()).requireSuccess();
  }

  @Test
  void anImageOnAReadOnlyFileSystemIsMountedReadOnlyOnRequest() throws IOException {
    Path folder = Files.createDirectory(bench.path("ro"));
    Path image = bench.qcow2("ro/disk.qcow2", "1M");
    Shell.bash("mount --bind $1 $1 && mount -o remount,bind,ro $1", folder);

    assertThat(bench.mount("-r", image).disk()).hasSize(1 << 20);
  }

  @Test
  void aChainOfHundredIsRead() throws IOException {
    Path base = bench.randomFile("0.qcow2.raw", 1 << 20, 8);
    bench.overlay("0.qcow2", base, "raw");
    for (int i = 1; i < 100; i++) {
      Files.copy(bench.path("0.qcow2"), bench.path(i + ".qcow2"));
      QemuImg.img(
          "rebase", "-q", "-u", "-b", (i - 1) + ".qcow2", "-F", "qcow2", bench.path(i + ".qcow2"));
    }

    Contents.requireSame(base, bench.mount(bench.path("99.qcow2")).disk());
  }

  @Test
  void aLoopIsRefusedAndTheMessageShowsIt() throws IOException {
    Path one = bench.qcow2("one.qcow2", "1M");
    bench.overlay("two.qcow2", "one.qcow2", "qcow2");
    QemuImg.img("rebase", "-q", "-u", "-b", "two.qcow2", "-F", "qcow2", one);
    Path mountPoint = Files.createDirectory(bench.path("mnt"));

    Shell.Result result = Shell.run(Project.launcher(), one, mountPoint);

    assertThat(result.exitCode()).isEqualTo(1);
    assertThat(result.errorLines()).hasSize(1);
    assertThat(result.errors()).contains("one.qcow2", "two.qcow2", "loop");
  }
}
