// SPDX-License-Identifier: Apache-2.0
package io.blkmount.nativetests;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.testing.QemuImg;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** Persistent dirty bitmaps of a mounted image, as QEMU's tools find them afterwards. */
final class BitmapTest {
  @RegisterExtension final Workbench bench = new Workbench();

  private Path image;

  @BeforeEach
  void makeAnImageWithABitmap() {
    image = bench.qcow2("disk.qcow2", "8M");
    QemuImg.img("bitmap", "--add", "-g", "64k", image, "monday");
  }

  private static String info(Path image) {
    return QemuImg.img("info", "-U", "--output=json", image).replaceAll("\\s+", " ");
  }

  @Test
  void writesThroughTheMountAreMarked() throws IOException {
    MountedImage mount = bench.mount(image);
    Shell.run("xfs_io", "-c", "pwrite -S 5 100k 1m", "-c", "fsync", mount.disk()).requireSuccess();
    assertThat(info(image)).contains("\"in-use\"");
    mount.unmount();

    QemuImg.requireClean(image, "after the unmount");
    assertThat(info(image)).contains("\"flags\": [ \"auto\" ], \"name\": \"monday\"");
    String map =
        Shell.bash(
            "nbdinfo --map=qemu:dirty-bitmap:monday -- [ qemu-nbd -r -f qcow2 -B monday $1 ]",
            image);
    assertThat(map.replaceAll(" +", " "))
        .contains(" 0 65536 0 clean", " 65536 1114112 1 dirty", " 1179648 7208960 0 clean");
  }

  @Test
  void aMountThatOnlyReadsTouchesNothing() throws IOException {
    MountedImage mount = bench.mount(image);
    Shell.bash("cat $1 > /dev/null", mount.disk());
    assertThat(info(image)).doesNotContain("in-use");
    mount.unmount();
    assertThat(info(image)).doesNotContain("in-use");
  }

  @Test
  void whatACrashLeavesIsInconsistentUntilItIsRemoved() throws IOException {
    MountedImage dead = bench.mount(image);
    Shell.run("xfs_io", "-c", "pwrite -S 5 0 1m", "-c", "fsync", dead.disk()).requireSuccess();
    dead.kill();
    assertThat(info(image)).contains("\"in-use\"");

    MountedImage next = bench.mountOn(dead.mountPoint(), image);
    Shell.run("xfs_io", "-c", "pwrite -S 6 2m 1m", "-c", "fsync", next.disk()).requireSuccess();
    next.unmount();

    assertThat(info(image)).contains("\"in-use\"");
    QemuImg.img("bitmap", "--remove", image, "monday");
    QemuImg.requireClean(image, "after the bitmap was removed");
  }
}
