// SPDX-License-Identifier: Apache-2.0
package io.blkmount.nativetests;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.blkmount.block.testing.QemuImg;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** Tools that ask for holes get those of the chain; libfuse 2 has no such request. */
final class SeekTest {
  @RegisterExtension final Workbench bench = new Workbench("channel");

  private MountedImage mount;

  /** 1 MiB of data below, and above it data at 20 MiB, zeros at 512 KiB and data at the end. */
  @BeforeEach
  void mountASparseChain() throws IOException {
    assumeTrue(Transports.includeChannel());
    bench.randomFile("base.raw", 1 << 20, 1);
    Path image = bench.overlay("disk.qcow2", "base.raw", "raw");
    QemuImg.img("resize", "-q", image, "64M");
    QemuImg.io(image, "write -P 5 20m 100k", "write -z 512k 64k", "write -P 6 67108352 512");
    mount = bench.mount(image);
  }

  @Test
  void everyHoleAndAllDataIsFound() {
    String seeks = Shell.run("xfs_io", "-r", "-c", "seek -a -r 0", mount.disk()).requireSuccess();

    assertThat(seeks.lines().skip(1))
        .containsExactly(
            "DATA\t0",
            "HOLE\t524288",
            "DATA\t589824",
            "HOLE\t1048576",
            "DATA\t20971520",
            "HOLE\t21102592", // two clusters on
            "DATA\t67043328", // the last cluster
            "HOLE\t67108864");
  }

  @Test
  void copiesLeaveTheHolesOut() throws IOException {
    for (String how : new String[] {"always", "auto"}) {
      Path copy = bench.path("copy-" + how);

      Shell.run("cp", "--sparse=" + how, mount.disk(), copy).requireSuccess();

      Contents.requireSame(mount.disk(), copy);
      assertThat(Long.parseLong(Shell.run("stat", "-c", "%b", copy).requireSuccess()) * 512)
          .as("space of the copy")
          .isLessThan(2 << 20);
    }
  }

  /** Inside one mount the kernel has us copy; what was a hole is one afterwards. */
  @Test
  void aRangeIsCopiedFromOneDiskToTheOther() throws IOException {
    Path target = bench.randomFile("target.img", 64 << 20, 2);
    Path sparse = bench.qcow2("sparse.qcow2", "64M");
    QemuImg.io(sparse, "write -P 5 20m 1m", "write -P 6 40m 64k");
    MountedImage two = bench.mount("--discard=unmap", "--passthrough=off", sparse, target);

    Shell.run(
            "xfs_io",
            "-c",
            "copy_range " + two.mountPoint().resolve("sparse.raw"),
            two.mountPoint().resolve("target.raw"))
        .requireSuccess();

    Contents.requireSame(
        two.mountPoint().resolve("sparse.raw"), two.mountPoint().resolve("target.raw"));
    assertThat(Long.parseLong(Shell.run("stat", "-c", "%b", target).requireSuccess()) * 512)
        .isLessThan(4 << 20);
  }
}
