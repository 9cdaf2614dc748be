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

/** The options that say how an image is opened. */
final class ImageOptionsTest {
  private static final int LENGTH = 4 << 20;

  @RegisterExtension final Workbench bench = new Workbench();

  @Test
  void snapshotLeavesTheImageAsItWas() throws IOException {
    Path base = bench.randomFile("base.raw", LENGTH, 1);
    Path image = bench.overlay("disk.qcow2", "base.raw", "raw");
    String[] before = {Contents.digest(image), Contents.digest(base)};
    MountedImage mount = bench.mount("--snapshot", image);
    Path expected = Files.copy(base, bench.path("expected"));

    for (Path file : new Path[] {mount.disk(), expected}) {
      Shell.run("xfs_io", "-c", "pwrite -S 3 12345 1000000", "-c", "fsync", file).requireSuccess();
    }

    Contents.requireSame(expected, mount.disk());
    mount.unmount();
    assertThat(new String[] {Contents.digest(image), Contents.digest(base)}).isEqualTo(before);
    Contents.requireSame(base, bench.mount("--snapshot", "-f", "raw", base).disk());
  }

  @Test
  void copyOnReadFillsTheOverlay() throws IOException {
    Path base = bench.randomFile("base.raw", LENGTH, 2);
    Path image = bench.overlay("disk.qcow2", "base.raw", "raw");
    MountedImage mount = bench.mount("--copy-on-read", image);

    Contents.requireSame(base, mount.disk());

    mount.unmount();
    QemuImg.requireClean(image, "copied on read");
    QemuImg.img("rebase", "-q", "-u", "-b", "", image); // without its backing file, unchanged
    QemuImg.requireSame(image, base, "copied on read");
  }

  @Test
  void copyOnReadNeedsAWritableImage() throws IOException {
    bench.randomFile("base.raw", LENGTH, 3);
    Path image = bench.overlay("disk.qcow2", "base.raw", "raw");
    Path mountPoint = Files.createDirectory(bench.path("mnt"));

    Shell.Result result = Shell.run(Project.launcher(), "--copy-on-read", "-r", image, mountPoint);

    assertThat(result.exitCode()).isBetween(1, 2);
    assertThat(result.errorLines()).hasSize(1);
  }

  @ParameterizedTest(name = "{0}")
  @ValueSource(strings = {"writeback", "none", "writethrough", "directsync", "unsafe"})
  void everyCacheModeWritesSyncsAndReads(String mode) throws IOException {
    Path source = bench.randomFile("source", LENGTH, 4);
    bench.randomFile("base.raw", LENGTH / 2 + 100, 5);
    Path image = bench.overlay("disk.qcow2", "base.raw", "raw", "-o", "cluster_size=2k");
    QemuImg.img("resize", "-q", image, LENGTH);
    MountedImage mount = bench.mount("--cache", mode, image);

    Shell.bash(
        "dd if=$1 of=$2 bs=12345 count=200 conv=notrunc,fsync status=none", source, mount.disk());

    Shell.bash("cmp -n $((12345 * 200)) $1 $2", source, mount.disk());
    mount.unmount();
    Shell.bash("cmp -n $((12345 * 200)) $1 $2", source, bench.mount(image).disk());
    assertThat(QemuImg.check(image).corruptions()).isZero();
  }

  @Test
  void withoutThePageCacheARawImageKeepsItsOddLength() throws IOException {
    int length = LENGTH - 4096 + 512;
    Path image = bench.randomFile("disk.img", length, 6);
    byte[] expected = Files.readAllBytes(image);
    MountedImage mount = bench.mount("--cache=none", "-f", "raw", image);

    Shell.run("xfs_io", "-c", "pwrite -S 9 " + (length - 7) + " 7", mount.disk()).requireSuccess();

    mount.unmount();
    java.util.Arrays.fill(expected, length - 7, length, (byte) 9);
    assertThat(image).hasBinaryContent(expected);
  }

  @Test
  void detectZeroesStoresNoZeros() throws IOException {
    Path image = bench.qcow2("disk.qcow2", "32M");
    MountedImage mount = bench.mount("--detect-zeroes=unmap", "--discard=unmap", image);

    Shell.bash("dd if=/dev/zero of=$1 bs=1M count=16 conv=notrunc,fsync status=none", mount.disk());

    mount.unmount();
    assertThat(Files.size(image)).isLessThan(2 << 20);
    QemuImg.requireClean(image, "zeros detected");
  }

  @Test
  void imageOptsTakeQemusDottedSyntax() throws IOException {
    Path image = bench.qcow2("comma,in name.qcow2", "1M");
    String file = image.toString().replace(",", ",,");

    MountedImage mount =
        bench.mount("--image-opts", "driver=qcow2,file.driver=file,file.filename=" + file);

    assertThat(mount.disk()).hasSize(1 << 20);
  }

  @Test
  void imageOptsReadAPartOfARawFile() throws IOException {
    Path image = bench.randomFile("disk.img", LENGTH, 7);

    MountedImage mount =
        bench.mount("--image-opts", "driver=raw,offset=1048576,size=65536,file.filename=" + image);

    assertThat(mount.disk()).hasSize(65536);
    Shell.bash("cmp -i 0:1048576 -n 65536 $1 $2", mount.disk(), image);
  }

  @ParameterizedTest(name = "{0}")
  @ValueSource(
      strings = {"driver=qcow2,file.filename=F,nonsense=1", "driver=nonsense,file.filename=F"})
  void anUnknownImageOptionIsNamed(String options) throws IOException {
    Path image = bench.qcow2("disk.qcow2", "1M");
    Path mountPoint = Files.createDirectory(bench.path("mnt"));

    Shell.Result result =
        Shell.run(
            Project.launcher(), "--image-opts", options.replace("F", image.toString()), mountPoint);

    assertThat(result.exitCode()).isEqualTo(1);
    assertThat(result.errorLines()).hasSize(1);
    assertThat(result.errors()).contains("nonsense");
  }

  @Test
  void aProbedRawImageRefusesToBecomeAnotherFormat() throws IOException {
    Path image = bench.randomFile("disk.img", LENGTH, 8);
    Path other = bench.qcow2("other.qcow2", "1M");
    String before = Contents.digest(image);
    MountedImage mount = bench.mount(image);

    Shell.Result result =
        Shell.tryBash("dd if=$1 of=$2 bs=512 count=1 conv=notrunc,fsync", other, mount.disk());

    assertThat(result.errors()).contains("Operation not permitted");
    assertThat(mount.log()).contains("-f raw");
    mount.unmount();
    assertThat(Contents.digest(image)).isEqualTo(before);
    MountedImage raw = bench.mount("-f", "raw", image);
    Shell.bash("dd if=$1 of=$2 bs=512 count=1 conv=notrunc,fsync status=none", other, raw.disk());
  }

  @Test
  void aReadOnlyMountIsErofs() throws IOException {
    Path image = bench.qcow2("disk.qcow2", "1M");
    String before = Contents.digest(image);
    MountedImage mount = bench.mount("-r", image);

    for (String command : new String[] {"echo > $1", "truncate -s 0 $1", "touch $1"}) {
      assertThat(Shell.tryBash(command, mount.disk()).errors()).contains("Read-only file system");
    }
    mount.unmount();
    MountedImage byMountOption = bench.mount("-o", "ro", image);
    assertThat(Shell.tryBash("echo > $1", byMountOption.disk()).errors())
        .contains("Read-only file system");
    byMountOption.unmount();
    assertThat(Contents.digest(image)).isEqualTo(before);
  }
}
