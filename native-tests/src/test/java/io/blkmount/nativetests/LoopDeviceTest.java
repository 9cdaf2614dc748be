// SPDX-License-Identifier: Apache-2.0
package io.blkmount.nativetests;

import io.blkmount.block.testing.QemuImg;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A file system on a loop device on the disk, with and without the page cache between. */
@OverBothTransports
final class LoopDeviceTest {
  private static final Duration PATIENCE = Duration.ofSeconds(60);

  @RegisterExtension final Workbench bench;

  LoopDeviceTest(String transport) {
    bench = Workbench.inMemory(transport);
  }

  @ParameterizedTest(name = "{0} on {1}, losetup --direct-io={2}")
  @CsvSource({
    "ext4, qcow2, on",
    "ext4, chain, off",
    "ext4, raw, off",
    "xfs, qcow2, off",
    "xfs, chain, on"
  })
  void aFileSystemIsMadeFilledAndFoundClean(String type, String shape, String direct)
      throws IOException {
    Path image = image(shape);
    String format = shape.equals("raw") ? "raw" : "qcow2";
    MountedImage mount = bench.mount("-f", format, image);
    LoopDevice loop = bench.attach(mount.disk(), "--direct-io=" + direct);

    makeAndFill(type, loop);
    check(type, loop.device());
    Path shown = bench.path("shown");
    Shell.run("cp", "--sparse=always", mount.disk(), shown).requireSuccess();
    loop.close();
    mount.unmount();

    QemuImg.img("compare", "-f", format, "-F", "raw", image, shown);
    check(type, shown);
    if (format.equals("qcow2")) {
      QemuImg.requireClean(image, type);
    }
  }

  private void makeAndFill(String type, LoopDevice loop) throws IOException {
    Path folder = Files.createDirectory(bench.path("files"));
    Shell.bash("mkfs.$1 -q $2", type, loop.device());
    Shell.run("mount", loop.device(), folder).requireSuccess();
    try {
      Shell.bash(
          """
          mkdir $1/src && cp -r $2/. $1/src/
          head -c 20M /dev/urandom > $1/random && cp $1/random $1/copy && sync -f $1
          rm $1/copy && fstrim $1
          diff -r $2 $1/src
          """,
          folder,
          Project.root().resolve("blocklayer/src/main"));
    } finally {
      Shell.run("umount", folder).requireSuccess();
      awaitEnd(type, loop.device());
    }
  }

  /** Somebody's mount namespace may have a copy of the mount, and write when it goes. */
  private static void awaitEnd(String type, Path device) {
    Path fileSystem = Path.of("/sys/fs", type, device.getFileName().toString());
    Await.until("end of " + fileSystem, PATIENCE, () -> !Files.exists(fileSystem));
  }

  private static void check(String type, Path device) {
    if (type.equals("ext4")) {
      Shell.run("e2fsck", "-fn", device).requireSuccess();
    } else {
      Shell.run("xfs_repair", "-n", device).requireSuccess();
    }
  }

  private Path image(String shape) throws IOException {
    switch (shape) {
      case "raw":
        Shell.run("truncate", "-s", "400M", bench.path("disk.img")).requireSuccess();
        return bench.path("disk.img");
      case "qcow2":
        return bench.qcow2("disk.qcow2", "400M");
      default:
        bench.randomFile("base.raw", 8 << 20, 1);
        bench.overlay("middle.qcow2", "base.raw", "raw");
        Path top = bench.overlay("top.qcow2", "middle.qcow2", "qcow2", "-o", "cluster_size=8k");
        QemuImg.img("resize", "-q", top, "400M");
        return top;
    }
  }
}
