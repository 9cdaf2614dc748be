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
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What is copied in comes back out, through the mount and without it. */
@OverBothTransports
final class RoundTripTest {
  private static final int LENGTH = 16 << 20;

  @RegisterExtension final Workbench bench;

  RoundTripTest(String transport) {
    bench = new Workbench(transport);
  }

  @ParameterizedTest(name = "{0} {1}")
  @CsvSource({
    "raw, --cache=writeback",
    "raw, --cache=none",
    "qcow2, --cache=writeback",
    "qcow2, --cache=none"
  })
  void ddAndCmp(String format, String cache) throws IOException {
    Path source = bench.randomFile("source", LENGTH, 1);
    Path image = image(format);
    MountedImage mount = bench.mount(cache, "-f", format, image);

    Shell.bash("dd if=$1 of=$2 bs=1M conv=notrunc,fsync status=none", source, mount.disk());

    Contents.requireSame(source, mount.disk());
    mount.unmount();
    QemuImg.img("compare", "-f", format, "-F", "raw", image, source);
  }

  @Test
  void blocksOfAnySizeAtAnyOffset() throws IOException {
    Path source = bench.randomFile("source", LENGTH, 2);
    Path image = image("qcow2");
    MountedImage mount = bench.mount(image);

    Shell.bash(
        "dd if=$1 of=$2 bs=1000003 conv=notrunc status=none; "
            + "dd if=$1 of=$2 bs=777 skip=1001 seek=1001 count=500 conv=notrunc,fsync status=none",
        source,
        mount.disk());

    Contents.requireSame(source, mount.disk());
    mount.unmount();
    QemuImg.requireSame(image, source, "blocks of 1000003 and 777 bytes");
    QemuImg.requireClean(image, "after the unmount");
  }

  /** On a fixed disk these three leave the length, on a resizable one they set it. */
  @ParameterizedTest(name = "{0}")
  @ValueSource(strings = {"cp $1 $2", "cat $1 > $2", "dd if=$1 of=$2 bs=64k status=none"})
  void overwritingToolsKeepTheLengthOfAFixedDisk(String tool) throws IOException {
    Path source = bench.randomFile("source", LENGTH / 2, 3);
    Path image = image("qcow2");
    MountedImage mount = bench.mount(image);

    Shell.bash(tool, source, mount.disk());

    assertThat(Files.size(mount.disk())).isEqualTo(LENGTH);
    Shell.bash("cmp -n $3 $1 $2", source, mount.disk(), LENGTH / 2);
  }

  @ParameterizedTest(name = "{0}")
  @ValueSource(strings = {"cp $1 $2", "cat $1 > $2", "dd if=$1 of=$2 bs=64k status=none"})
  void overwritingToolsSetTheLengthOfAResizableDisk(String tool) throws IOException {
    Path source = bench.randomFile("source", LENGTH / 2, 4);
    Path image = image("qcow2");
    MountedImage mount = bench.mount("--resizable", image);

    Shell.bash(tool, source, mount.disk());

    Contents.requireSame(source, mount.disk());
    mount.unmount();
    QemuImg.requireSame(image, source, tool);
    QemuImg.requireClean(image, tool);
  }

  @Test
  void aMountedDiskMayHoldAnImageThatIsMountedToo() throws IOException {
    Path source = bench.randomFile("source", 1 << 20, 5);
    MountedImage outer = bench.mount("-f", "raw", image("raw"));
    Path inner = bench.qcow2("inner.qcow2", "1M");
    Shell.run("cp", inner, outer.disk()).requireSuccess();
    MountedImage mount = bench.mount("-f", "qcow2", outer.disk());

    Shell.bash("dd if=$1 of=$2 conv=notrunc,fsync status=none", source, mount.disk());

    mount.unmount();
    QemuImg.requireSame(outer.disk(), source, "a disk in a disk");
    QemuImg.requireClean(outer.disk(), "a disk in a disk");
  }

  @Test
  void theCallerNeedNotWaitForTheServersDescriptors() throws IOException {
    Path image = image("raw");
    Path mountPoint = Files.createDirectory(bench.path("mnt"));

    String output =
        Shell.bash(
            "printf '%s' \"[$($1 $4 -f raw --log-file /dev/null $2 $3 2>&1 | cat)]\"",
            Project.launcher(), image, mountPoint, bench.fuseOption());

    assertThat(output).isEqualTo("[]");
    Shell.run(Project.launcher(), "--unmount", mountPoint).requireSuccess();
  }

  @ParameterizedTest(name = "{0}")
  @ValueSource(strings = {"<&-", ">&-", "2>&-", "<&- >&- 2>&-"})
  void aCallerMayHaveClosedItsStandardDescriptors(String closed) throws IOException {
    Path mountPoint = Files.createDirectory(bench.path("mnt"));

    Shell.bash(
        "$1 $5 -f raw --log-file $2/log $3 $4 " + closed,
        Project.launcher(),
        bench.folder(),
        image("raw"),
        mountPoint,
        bench.fuseOption());

    assertThat(mountPoint.resolve("disk.raw")).hasSize(LENGTH);
    Shell.run("umount", mountPoint).requireSuccess();
  }

  private Path image(String format) throws IOException {
    Path image = bench.path("disk." + format);
    QemuImg.img("create", "-q", "-f", format, image, LENGTH);
    return image;
  }
}
