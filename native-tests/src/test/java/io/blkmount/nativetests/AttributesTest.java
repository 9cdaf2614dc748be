// SPDX-License-Identifier: Apache-2.0
package io.blkmount.nativetests;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.testing.QemuImg;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** What stat, statfs and mount(8) say about the mount and its file. */
@OverBothTransports
final class AttributesTest {
  private static final FileTime LONG_AGO = FileTime.from(Instant.parse("2020-01-02T03:04:05Z"));

  @RegisterExtension final Workbench bench;

  AttributesTest(String transport) {
    bench = new Workbench(transport);
  }

  @Test
  void mountNamesTheImageAndTheType() throws IOException {
    Path image = bench.qcow2("disk.qcow2", "1M");

    MountedImage mount = bench.mount(image);

    assertThat(Shell.bash("mount | grep -F \" on $1 \"", mount.mountPoint()))
        .startsWith(image + " on " + mount.mountPoint() + " type fuse.blkmount ");
    assertThat(MountTable.line(mount.mountPoint()).options().split(","))
        .contains("rw", "nosuid", "nodev", "default_permissions");
  }

  @Test
  void theFileIsForItsOwnerAlone() throws IOException {
    MountedImage mount = bench.mount(bench.qcow2("disk.qcow2", "1M"));

    assertThat(stat("%a %u %g %h %F", mount.disk()))
        .isEqualTo("600 " + Shell.bash("id -u; id -g").replace('\n', ' ') + " 1 regular file");
  }

  @Test
  void aReadOnlyFileHasModeZeroFourHundred() throws IOException {
    MountedImage mount = bench.mount("-r", bench.qcow2("disk.qcow2", "1M"));

    assertThat(stat("%a", mount.disk())).isEqualTo("400");
    assertThat(MountTable.line(mount.mountPoint()).options().split(",")).contains("ro");
  }

  @Test
  void ownerAndModeFollowTheMountOptions() throws IOException {
    Path image = bench.qcow2("disk.qcow2", "1M");

    MountedImage mount = bench.mount("-o", "uid=1234,gid=77,umask=027", image);

    assertThat(stat("%u %g", mount.disk())).isEqualTo("1234 77");
    assertThat(stat("%a", mount.disk()).charAt(2)).isEqualTo('0');
  }

  @Test
  void theTimeOfTheLastWriteIsTheImagesAndStaysWhileNothingIsWritten() throws IOException {
    Path image = bench.qcow2("disk.qcow2", "1M");
    Files.setLastModifiedTime(image, LONG_AGO);

    MountedImage mount = bench.mount(image);
    Shell.bash("cat $1 > /dev/null; stat $1 > /dev/null; sync -f $1", mount.disk());

    assertThat(Files.getLastModifiedTime(mount.disk())).isEqualTo(LONG_AGO);
    mount.unmount();
    assertThat(Files.getLastModifiedTime(image)).isEqualTo(LONG_AGO);
  }

  @Test
  void aWriteIsSeenInTheTimeAndTheTimeStaysAfterIt() throws IOException {
    Path image = bench.qcow2("disk.qcow2", "1M");
    Files.setLastModifiedTime(image, LONG_AGO);
    MountedImage mount = bench.mount(image);

    Shell.run("xfs_io", "-c", "pwrite 0 4k", "-c", "fsync", mount.disk()).requireSuccess();

    String written = stat("%y", mount.disk());
    assertThat(Files.getLastModifiedTime(mount.disk())).isGreaterThan(LONG_AGO);
    assertThat(stat("%y", mount.disk())).as("asked again").isEqualTo(written);
  }

  @Test
  void allocatedBlocksAreThoseOfWhatTheFileShows() throws IOException {
    Path image = bench.qcow2("disk.qcow2", "64M");
    MountedImage mount = bench.mount(image);
    long empty = blocks(mount.disk());

    Shell.run("xfs_io", "-c", "pwrite 0 8m", "-c", "fsync", mount.disk()).requireSuccess();
    mount.unmount();
    MountedImage again = bench.mount(image);

    assertThat(empty * 512).isLessThan(1 << 20);
    assertThat(blocks(again.disk()) * 512).isBetween(8L << 20, 16L << 20);
    assertThat(stat("%o", again.disk())).as("block size: the cluster size").isEqualTo("65536");
  }

  @Test
  void aDiskThatShowsItsBackingFileHasBlocks() throws IOException {
    bench.randomFile("base.raw", 1 << 20, 1);

    MountedImage mount = bench.mount(bench.overlay("top.qcow2", "base.raw", "raw"));

    assertThat(blocks(mount.disk())).isGreaterThanOrEqualTo(8);
  }

  @Test
  void blockSizeIsAPageAtLeast() throws IOException {
    MountedImage mount = bench.mount(bench.qcow2("disk.qcow2", "1M", "-o", "cluster_size=512"));

    assertThat(stat("%o", mount.disk())).isEqualTo("4096");
  }

  @Test
  void statfsHasRealNumbers() throws IOException {
    MountedImage mount = bench.mount(bench.qcow2("disk.qcow2", "64M"));

    String[] numbers =
        Shell.run("stat", "-f", "-c", "%S %b %f %l", mount.disk()).requireSuccess().split(" ");

    for (String number : numbers) {
      assertThat(Long.parseLong(number)).isPositive();
    }
    Shell.run("df", mount.mountPoint()).requireSuccess();
  }

  @Test
  void aRawImageHasTheBlocksOfItsFile() throws IOException {
    Path image = bench.path("disk.img");
    QemuImg.img("create", "-q", "-f", "raw", image, "8M");
    Shell.run("xfs_io", "-c", "pwrite 1m 1m", "-c", "fsync", image).requireSuccess();

    MountedImage mount = bench.mount("-f", "raw", image);

    assertThat(blocks(mount.disk())).isEqualTo(blocks(image));
  }

  private static long blocks(Path file) {
    return Long.parseLong(stat("%b", file));
  }

  private static String stat(String format, Path file) {
    return Shell.run("stat", "-c", format, file).requireSuccess();
  }
}
