// SPDX-License-Identifier: Apache-2.0
package io.blkmount.nativetests;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.testing.QemuImg;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What df, du and losetup say of space and size, while both change. */
final class SpaceTest {
  private static final long MIB = 1 << 20;
  private static final long LENGTH = 64 * MIB;

  /** More than the metadata of a disk of 64 MiB takes. */
  private static final long SLACK = MIB;

  @RegisterExtension final Workbench bench = Workbench.inMemory();

  /**
   * What df says of a mount, in bytes.
   *
   * @param size of all disks
   * @param used what the host stores of them
   * @param available what it does not
   */
  private record Df(long size, long used, long available) {
    static Df of(Path path) {
      String line = Shell.bash("df -B1 --output=size,used,avail $1 | tail -n 1", path);
      long[] bytes = Arrays.stream(line.strip().split(" +")).mapToLong(Long::parseLong).toArray();
      return new Df(bytes[0], bytes[1], bytes[2]);
    }
  }

  @ParameterizedTest(name = "{0}")
  @ValueSource(strings = {"raw", "qcow2"})
  void dfAndDuFollowWhatIsWrittenAndPunched(String format) throws IOException {
    MountedImage mount = bench.mount("-f", format, "--discard", "unmap", image("disk", format));
    Path disk = mount.disk();
    requireUsed(disk, 0);

    change(disk, "pwrite 4m 8m");
    requireUsed(disk, 8 * MIB);

    change(disk, "pwrite -b 1m 0 64m");
    requireUsed(disk, LENGTH);
    assertThat(Df.of(disk).available()).isZero();

    change(disk, "fpunch 32m 16m");
    requireUsed(disk, 48 * MIB);

    change(disk, "fpunch 0 64m");
    requireUsed(disk, 0);
  }

  @Test
  void dfAndDuOfAnOverlayCountWhatIsBelow() throws IOException {
    bench.randomFile("base.raw", (int) (16 * MIB), 1);
    Path top = bench.overlay("top.qcow2", "base.raw", "raw");
    QemuImg.img("resize", "-q", top, "64M");

    MountedImage mount = bench.mount(top);

    requireUsed(mount.disk(), 16 * MIB);
    change(mount.disk(), "pwrite 40m 8m");
    requireUsed(mount.disk(), 24 * MIB);
  }

  @Test
  void twoDisksOfAMountAddUp() throws IOException {
    Path full = bench.randomFile("full.img", (int) (8 * MIB), 1);

    MountedImage mount = bench.mount(image("empty", "qcow2"), full);

    Df df = Df.of(mount.mountPoint());
    assertThat(df.size()).isEqualTo(LENGTH + 8 * MIB);
    assertThat(df.used()).isBetween(8 * MIB, 8 * MIB + SLACK);
    assertThat(df.used() + df.available()).isEqualTo(df.size());
    assertThat(usedOf(mount.mountPoint())).isEqualTo(df.used());
    assertThat(Df.of(mount.mountPoint().resolve("full.raw"))).isEqualTo(df);
  }

  @ParameterizedTest(name = "{0}, losetup --direct-io={1}")
  @CsvSource({"raw, off", "qcow2, off", "qcow2, on"})
  void aLoopDeviceTakesTheNewSize(String format, String direct) throws IOException {
    MountedImage mount = bench.mount("--resizable", "-f", format, image("disk", format));
    LoopDevice loop = bench.attach(mount.disk(), "--direct-io=" + direct);
    assertThat(sizeOf(loop)).isEqualTo(LENGTH);

    Shell.bash("truncate -s 96M $1; losetup -c $2", mount.disk(), loop.device());
    assertThat(sizeOf(loop)).isEqualTo(96 * MIB);
    change(loop.device(), "pwrite -S 7 95m 1m");

    Shell.bash("truncate -s 32M $1; losetup -c $2", mount.disk(), loop.device());
    assertThat(sizeOf(loop)).isEqualTo(32 * MIB);

    Shell.bash("truncate -s 96M $1; losetup -c $2", mount.disk(), loop.device());
    Shell.bash("cmp -n 96M $1 /dev/zero", loop.device());
  }

  /** Fails unless the host stores that much of a disk that is alone in its mount. */
  private static void requireUsed(Path disk, long bytes) {
    Df df = Df.of(disk);
    assertThat(df.size()).isEqualTo(LENGTH);
    assertThat(df.used()).isBetween(bytes, Math.min(bytes + SLACK, LENGTH));
    assertThat(df.used() + df.available()).isEqualTo(df.size());
    assertThat(usedOf(disk)).as("du").isEqualTo(df.used());
  }

  private static long usedOf(Path path) {
    return Long.parseLong(Shell.bash("du -s -B1 $1 | cut -f 1", path).strip());
  }

  private static long sizeOf(LoopDevice loop) {
    return Long.parseLong(Shell.run("blockdev", "--getsize64", loop.device()).requireSuccess());
  }

  private static void change(Path file, String command) {
    Shell.run("xfs_io", "-c", command, "-c", "fsync", file).requireSuccess();
  }

  private Path image(String name, String format) {
    Path image = bench.path(name + "." + format);
    QemuImg.img("create", "-q", "-f", format, image, LENGTH);
    return image;
  }
}
