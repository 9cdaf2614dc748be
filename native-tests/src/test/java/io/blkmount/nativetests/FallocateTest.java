// SPDX-License-Identifier: Apache-2.0
package io.blkmount.nativetests;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.testing.QemuImg;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** fallocate(2) on the disk: what was zeroed reads as zeros, whatever the image is. */
@OverBothTransports
final class FallocateTest {
  private static final int LENGTH = 4 << 20;

  @RegisterExtension final Workbench bench;

  FallocateTest(String transport) {
    bench = new Workbench(transport);
  }

  @ParameterizedTest(name = "{0} on compat={1}, {2}")
  @CsvSource({
    "fpunch, 0.10, ignore",
    "fpunch, 0.10, unmap",
    "fpunch, 1.1, ignore",
    "fpunch, 1.1, unmap",
    "fzero -k, 0.10, ignore",
    "fzero -k, 0.10, unmap",
    "fzero -k, 1.1, unmap"
  })
  void zeroedRangesNeverShowTheBackingFile(String command, String compat, String discard)
      throws IOException {
    byte[] expected = Contents.random(LENGTH, 1);
    Files.write(bench.path("base.raw"), expected);
    Path image = bench.overlay("top.qcow2", "base.raw", "raw", "-o", "compat=" + compat);
    MountedImage mount = bench.mount("--discard", discard, image);
    Arrays.fill(expected, 1_000_001, 2_000_001, (byte) 0);
    Files.write(bench.path("expected"), expected);

    Shell.run("xfs_io", "-c", command + " 1000001 1000000", mount.disk()).requireSuccess();

    Contents.requireSame(bench.path("expected"), mount.disk());
    mount.unmount();
    QemuImg.requireSame(image, bench.path("expected"), command);
    QemuImg.requireClean(image, command);
  }

  @ParameterizedTest(name = "{0}")
  @ValueSource(strings = {"raw", "qcow2"})
  void zeroingAllOfAWrittenDiskReadsAsZerosNowAndAfterARemount(String format) throws IOException {
    Path image = bench.path("disk." + format);
    QemuImg.img("create", "-q", "-f", format, image, "64M");
    MountedImage mount = bench.mount("-f", format, image);
    Shell.run("xfs_io", "-c", "pwrite -S 9 -b 1m 0 64m", mount.disk()).requireSuccess();

    Shell.run("xfs_io", "-c", "fzero -k 0 64m", mount.disk()).requireSuccess();

    Shell.bash("cmp -n 64M $1 /dev/zero", mount.disk());
    mount.unmount();
    Shell.bash("cmp -n 64M $1 /dev/zero", bench.mount("-f", format, image).disk());
  }

  @Test
  void punchedSpaceGoesBackToTheHost() throws IOException {
    Path image = bench.qcow2("disk.qcow2", "32M");
    MountedImage mount = bench.mount("--discard=unmap", image);
    Shell.run("xfs_io", "-c", "pwrite -b 1m 0 16m", "-c", "fsync", mount.disk()).requireSuccess();
    long full = hostBlocks(image);

    Shell.run("xfs_io", "-c", "fpunch 0 16m", "-c", "fsync", mount.disk()).requireSuccess();
    mount.unmount();

    assertThat(hostBlocks(image)).isLessThan(full / 4);
    QemuImg.requireClean(image, "punched");
  }

  @ParameterizedTest(name = "{0}")
  @ValueSource(strings = {"falloc 0 1m", "falloc -k 0 1m", "falloc 123 4567"})
  void reservingChangesNoByte(String command) throws IOException {
    Path base = bench.randomFile("base.raw", LENGTH, 2);
    Path image = bench.overlay("top.qcow2", "base.raw", "raw");
    MountedImage mount = bench.mount(image);

    Shell.run("xfs_io", "-c", command, mount.disk()).requireSuccess();

    Contents.requireSame(base, mount.disk());
    mount.unmount();
    QemuImg.requireSame(image, base, command);
    QemuImg.requireClean(image, command);
  }

  @Test
  void reservedSpaceIsThereWhenTheHostIsFull() throws IOException {
    Path small = Files.createDirectory(bench.path("small"));
    Shell.run("mount", "-t", "tmpfs", "-o", "size=4M", "tmpfs", small).requireSuccess();
    Path image = bench.qcow2("small/disk.qcow2", "64M");
    MountedImage mount = bench.mount(image);

    Shell.run("xfs_io", "-c", "falloc -k 0 1m", mount.disk()).requireSuccess();
    Shell.tryBash("head -c 8M /dev/zero > $1/filler", small);

    Shell.run("xfs_io", "-c", "pwrite -S 3 0 1m", "-c", "fsync", mount.disk()).requireSuccess();
    Shell.Result refused = Shell.run("xfs_io", "-d", "-c", "pwrite -b 1m 8m 8m", mount.disk());
    assertThat(refused.output() + refused.errors()).contains("No space left on device");
    Shell.bash("cmp -n 1M $1 <(head -c 1M /dev/zero | tr '\\0' '\\003')", mount.disk());
    Shell.run("rm", small.resolve("filler")).requireSuccess();
    Shell.run("xfs_io", "-c", "pwrite -S 4 8m 1m", "-c", "fsync", mount.disk()).requireSuccess();
    mount.unmount();
    QemuImg.requireClean(image, "after the host was full");
  }

  @ParameterizedTest(name = "{0}")
  @ValueSource(strings = {"fcollapse 0 4k", "finsert 0 4k"})
  void movingBytesIsNotSupported(String command) throws IOException {
    MountedImage mount = bench.mount(bench.qcow2("disk.qcow2", "1M"));

    Shell.Result result = Shell.run("xfs_io", "-c", command, mount.disk());

    assertThat(result.output() + result.errors()).contains("not supported");
  }

  private static long hostBlocks(Path file) {
    return Long.parseLong(Shell.run("stat", "-c", "%b", file).requireSuccess());
  }
}
