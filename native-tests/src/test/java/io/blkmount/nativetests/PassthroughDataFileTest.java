// SPDX-License-Identifier: Apache-2.0
package io.blkmount.nativetests;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.blkmount.block.testing.QemuImg;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** The raw data file of a qcow2 image, which the kernel reads and writes by itself. */
final class PassthroughDataFileTest {
  private static final int LENGTH = 4 << 20;

  /** Names, attributes and openings; far less than the disk. */
  private static final int LITTLE = 256 << 10;

  @RegisterExtension final Workbench bench = new Workbench("channel");

  private Path image;
  private Path data;

  @BeforeEach
  void createImage() {
    assumeTrue(Transports.includeChannel() && ServedRawTest.isRoot());
    data = bench.path("data.raw");
    image = bench.qcow2("disk.qcow2", "4M", "-o", "data_file=" + data + ",data_file_raw=on");
  }

  private MountedImage mount() throws IOException {
    MountedImage mount = bench.mount("--passthrough=on", "--discard=unmap", image);
    assertThat(mount.remarks()).isEmpty();
    return mount;
  }

  private void requireSound() {
    QemuImg.img("check", "-q", image);
    QemuImg.img("compare", "-q", "-f", "qcow2", "-F", "raw", image, data);
    assertThat(QemuImg.img("info", image)).contains("data file raw: true");
  }

  @Test
  void bytesGoBetweenTheKernelAndTheDataFile() throws IOException {
    Path source = bench.randomFile("source", LENGTH, 2);
    MountedImage mount = mount();
    final long movedBefore = mount.bytesMoved();

    Shell.bash("dd if=$1 of=$2 bs=64k conv=notrunc,fsync status=none", source, mount.disk());
    Contents.requireSame(source, mount.disk());
    Contents.requireSame(source, data);
    assertThat(mount.bytesMoved() - movedBefore).as("by the server").isLessThan(LITTLE);

    mount.unmountByCommand();
    Locks.requireReleased(image);
    Locks.requireReleased(data);
    requireSound();
    QemuImg.img("compare", "-q", "-f", "qcow2", "-F", "raw", image, source);
  }

  /** Holes are made by us in the data file, and nothing of the mapping goes with them. */
  @Test
  void holesAndWritesTakeTurns() throws IOException {
    Path source = bench.randomFile("source", LENGTH, 3);
    MountedImage mount = mount();
    Shell.bash("dd if=$1 of=$2 bs=1M conv=notrunc status=none", source, mount.disk());

    for (Path each : new Path[] {mount.disk(), source}) {
      Shell.run("fallocate", "--punch-hole", "-o", "1M", "-l", "2M", each).requireSuccess();
      Shell.run("xfs_io", "-c", "pwrite -S 7 2m 100k", each).requireSuccess();
      Shell.run("fallocate", "--zero-range", "-o", "100000", "-l", "50000", each).requireSuccess();
      Shell.run("xfs_io", "-c", "pwrite -S 8 100500 10k", each).requireSuccess();
    }

    Contents.requireSame(source, mount.disk());
    mount.unmount();
    requireSound();
    QemuImg.img("compare", "-q", "-f", "qcow2", "-F", "raw", image, source);
    MountedImage again = mount();
    Contents.requireSame(source, again.disk());
  }

  /** What was acknowledged past the end is not lost: the disk is longer then, as a raw file is. */
  @Test
  void aWritePastTheEndMakesTheDiskLonger() throws IOException {
    MountedImage mount = mount();
    Shell.run("xfs_io", "-c", "pwrite -S 9 5m 1m", "-c", "fsync", mount.disk()).requireSuccess();
    assertThat(mount.disk()).hasSize(6 << 20);

    mount.unmount();

    requireSound();
    assertThat(QemuImg.img("info", image)).contains("(6291456 bytes)");
  }

  @Test
  void whatWasSyncedIsInTheImageOfAKilledServer() throws IOException {
    ByteBuffer block = ByteBuffer.wrap(Contents.random(4096, 4));
    MountedImage mount = mount();
    try (FileChannel file = FileChannel.open(mount.disk(), StandardOpenOption.WRITE)) {
      file.write(block.duplicate(), 8192);
      file.write(block.duplicate(), LENGTH);
      file.force(true);
      mount.kill();
      file.write(block.duplicate(), 65536);
      Locks.requireHeld(data);
    }
    Shell.run("umount", mount.mountPoint()).requireSuccess();

    Locks.requireReleased(data);
    requireSound();
    assertThat(QemuImg.img("info", image)).contains("(4198400 bytes)");
    Shell.bash("cmp -n 4096 -i 8192:65536 $1 $1 && cmp -n 4096 -i 8192:4194304 $1 $1", data);
  }

  @Test
  void anImageThatDoesNotMapTheFileIsServedAndSaysWhy() throws IOException {
    QemuImg.io(image, "write -z -u 1M 64k");
    MountedImage mount = bench.mount("--passthrough=on", image);

    assertThat(mount.remarks())
        .singleElement()
        .asString()
        .contains("not mapped to the data file at guest offset 1048576");
    Shell.run("xfs_io", "-c", "pwrite -S 9 1m 64k", mount.disk()).requireSuccess();
    mount.unmount();
    requireSound();
  }
}
