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
import org.junit.jupiter.params.provider.ValueSource;

/** With {@code --resizable} the disk is a plain file: its length is what was written. */
@OverBothTransports
final class ResizableTest {
  @RegisterExtension final Workbench bench;

  ResizableTest(String transport) {
    bench = new Workbench(transport);
  }

  @ParameterizedTest(name = "{0}")
  @ValueSource(strings = {"raw", "qcow2"})
  void growsByTruncateWriteAndFallocate(String format) throws IOException {
    Path image = image(format);
    MountedImage mount = bench.mount("--resizable", "-f", format, image);
    Path disk = mount.disk();

    Shell.run("truncate", "-s", "2M", disk).requireSuccess();
    assertThat(disk).hasSize(2 << 20);
    Shell.run("xfs_io", "-c", "pwrite -S 1 3m 1000", disk).requireSuccess();
    assertThat(disk).hasSize(rounded(format, (3 << 20) + 1000));
    Shell.run("fallocate", "-l", "5M", disk).requireSuccess();
    assertThat(disk).hasSize(5 << 20);
    Shell.bash("echo more >> $1", disk);
    assertThat(disk).hasSize(rounded(format, (5 << 20) + 5));

    Path copy = Files.copy(disk, bench.path("copy"));
    mount.unmount();
    QemuImg.img("compare", "-f", format, "-F", "raw", image, copy);
  }

  @ParameterizedTest(name = "{0}")
  @ValueSource(strings = {"raw", "qcow2"})
  void whatIsCutOffComesBackAsZeros(String format) throws IOException {
    MountedImage mount = bench.mount("--resizable", "-f", format, image(format));
    Path disk = mount.disk();
    Shell.run("xfs_io", "-c", "pwrite -S 1 0 1m", disk).requireSuccess();

    Shell.run("truncate", "-s", "300000", disk).requireSuccess();
    Shell.run("truncate", "-s", "1M", disk).requireSuccess();

    Shell.bash("cmp -n 300000 $1 <(tr '\\0' '\\001' < /dev/zero | head -c 1M)", disk);
    Shell.bash("cmp -i 300000:0 -n 748576 $1 /dev/zero", disk);
  }

  @Test
  void theNewPartOverALongerBackingFileReadsAsZeros() throws IOException {
    bench.randomFile("base.raw", 4 << 20, 1);
    Path image = bench.overlay("top.qcow2", "base.raw", "raw");
    QemuImg.img("resize", "-q", "--shrink", image, "1M");
    MountedImage mount = bench.mount("--resizable", image);

    Shell.run("truncate", "-s", "3M", mount.disk()).requireSuccess();

    Shell.bash("cmp -n 1M $1 $2", mount.disk(), bench.path("base.raw"));
    Shell.bash("cmp -i 1M:0 -n 2M $1 /dev/zero", mount.disk());
    mount.unmount();
    QemuImg.requireClean(image, "grown over a longer backing file");
  }

  /** A qcow2 image counts its length in sectors. */
  private static long rounded(String format, long length) {
    return format.equals("raw") ? length : (length + 511) / 512 * 512;
  }

  private Path image(String format) {
    Path image = bench.path("disk." + format);
    QemuImg.img("create", "-q", "-f", format, image, "1M");
    return image;
  }
}
