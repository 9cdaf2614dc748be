// SPDX-License-Identifier: Apache-2.0
package io.blkmount.nativetests;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** Backup tools that look for holes find all data. */
@OverBothTransports
final class SparseCopyTest {
  @RegisterExtension final Workbench bench;

  private MountedImage mount;

  SparseCopyTest(String transport) {
    bench = new Workbench(transport);
  }

  /** Data in the backing file only, in the overlay, and next to the end; else holes. */
  @BeforeEach
  void mountASparseChain() throws IOException {
    bench.randomFile("base.raw", 1 << 20, 1);
    Path image = bench.overlay("disk.qcow2", "base.raw", "raw");
    Shell.run("qemu-img", "resize", "-q", image, "64M").requireSuccess();
    io.blkmount.block.testing.QemuImg.io(image, "write -P 5 20m 100k", "write -P 6 67108352 512");
    mount = bench.mount(image);
  }

  @Test
  void cpSparse() throws IOException {
    for (String how : new String[] {"always", "auto", "never"}) {
      Path copy = bench.path("copy-" + how);

      Shell.run("cp", "--sparse=" + how, mount.disk(), copy).requireSuccess();

      Contents.requireSame(mount.disk(), copy);
    }
    assertThat(blocks(bench.path("copy-always"))).isLessThan(8_000);
  }

  @Test
  void tarSparse() {
    Shell.bash(
        "cd $1 && tar -cSf ../archive.tar disk.raw && mkdir ../out && tar -xSf ../archive.tar -C"
            + " ../out",
        mount.mountPoint());

    Contents.requireSame(mount.disk(), bench.path("out/disk.raw"));
  }

  @Test
  void tarSparseOfAnOverlayWithNothingOfItsOwn() throws IOException {
    MountedImage bare = bench.mount(bench.overlay("bare.qcow2", "base.raw", "raw"));

    Shell.bash(
        "cd $1 && tar -cSf - bare.raw | tar -xSOf - | cmp - $2",
        bare.mountPoint(),
        bench.path("base.raw"));
  }

  private static long blocks(Path file) {
    return Long.parseLong(Shell.run("stat", "-c", "%b", file).requireSuccess());
  }
}
