// SPDX-License-Identifier: Apache-2.0
package io.blkmount.nativetests;

import io.blkmount.block.testing.QemuImg;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Ways past plain read and write. */
@OverBothTransports
final class MemoryMappedAndDirectTest {
  private static final int LENGTH = 4 << 20;

  @RegisterExtension final Workbench bench;

  MemoryMappedAndDirectTest(String transport) {
    bench = new Workbench(transport);
  }

  @Test
  void aSharedMappingReadsAndWritesTheDisk() throws IOException {
    Path expected = bench.randomFile("expected", LENGTH, 1);
    Path image = bench.qcow2("disk.qcow2", "4M");
    MountedImage mount = bench.mount(image);
    Shell.run("cp", expected, mount.disk()).requireSuccess();

    for (Path file : new Path[] {expected, mount.disk()}) {
      Shell.run(
              "xfs_io",
              "-c",
              "mmap -rw 0 4m",
              "-c",
              "mread 0 4m",
              "-c",
              "mwrite -S 7 12345 1000000",
              "-c",
              "msync -s",
              "-c",
              "munmap",
              file)
          .requireSuccess();
    }

    Contents.requireSame(expected, mount.disk());
    mount.unmount();
    QemuImg.requireSame(image, expected, "written through a mapping");
  }

  @ParameterizedTest(name = "dd {1} of {0}, {2}")
  @CsvSource({
    "raw, oflag=direct, writeback", "qcow2, oflag=direct, writeback",
    "raw, oflag=direct, none", "qcow2, oflag=direct, none",
    "qcow2, oflag=sync, writeback", "qcow2, 'oflag=direct,sync', directsync"
  })
  void directAndSynchronousWrites(String format, String flags, String cache) throws IOException {
    Path source = bench.randomFile("source", LENGTH, 2);
    Path image = bench.path("disk." + format);
    QemuImg.img("create", "-q", "-f", format, image, LENGTH);
    MountedImage mount = bench.mount("--cache", cache, "-f", format, image);

    Shell.bash(
        "dd if=$1 of=$2 bs=256k conv=notrunc "
            + flags
            + " status=none; "
            + "dd if=$2 iflag=direct bs=256k status=none | cmp $1 -",
        source,
        mount.disk());

    mount.unmount();
    QemuImg.img("compare", "-f", format, "-F", "raw", image, source);
  }
}
