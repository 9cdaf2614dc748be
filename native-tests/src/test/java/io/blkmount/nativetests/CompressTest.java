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

/** {@code --compress}: what is written takes less space, and qemu-img reads it. */
final class CompressTest {
  private static final int LENGTH = 16 << 20;

  @RegisterExtension final Workbench bench = new Workbench();

  @ParameterizedTest(name = "{0}")
  @ValueSource(
      strings = {"compression_type=zlib", "compression_type=zstd", "cluster_size=4k,compat=0.10"})
  void whatIsWrittenIsStoredCompressed(String options) throws IOException {
    Path source = text("source");
    Path image = bench.qcow2("disk.qcow2", "16M", "-o", options);
    MountedImage mount = bench.mount("--compress", image);

    for (Path file : new Path[] {mount.disk(), source}) {
      if (file != source) {
        Shell.run("dd", "if=" + source, "of=" + file, "bs=1M", "conv=notrunc,fsync", "status=none")
            .requireSuccess();
      }
      Shell.run(
              "xfs_io",
              "-c",
              "pwrite -S 3 1234567 100",
              "-c",
              "pwrite -S 4 65530 200000",
              "-c",
              "fsync",
              file)
          .requireSuccess();
    }

    Contents.requireSame(source, mount.disk());
    mount.unmount();
    QemuImg.requireClean(image, options);
    QemuImg.requireSame(image, source, options);
    assertThat(Files.size(image)).isLessThan(LENGTH / 2);
    Contents.requireSame(source, bench.mount(image).disk());
  }

  @Test
  void theOverlayOfASnapshotIsCompressed() throws IOException {
    Path image = bench.randomFile("disk.raw", LENGTH, 1);
    String before = Contents.digest(image);
    MountedImage mount = bench.mount("--compress", "--snapshot", "-f", "raw", image);

    Shell.run("xfs_io", "-c", "pwrite -S 3 0 4m", mount.disk()).requireSuccess();

    assertThat(Contents.digest(image)).isEqualTo(before);
  }

  @Test
  void aRawImageIsRefused() throws IOException {
    Path image = bench.randomFile("disk.img", LENGTH, 1);
    Path mountPoint = Files.createDirectory(bench.path("mnt"));

    Shell.Result result =
        Shell.run(Project.launcher(), "--compress", "-f", "raw", image, mountPoint);

    assertThat(result.exitCode()).isEqualTo(1);
    assertThat(result.errorLines()).hasSize(1);
    assertThat(result.errors())
        .contains("cannot compress what is written to \"" + image, "raw stores every byte");
  }

  private Path text(String name) throws IOException {
    StringBuilder lines = new StringBuilder();
    for (int i = 0; lines.length() < LENGTH; i++) {
      lines.append("line ").append(i).append(" says ").append(i * 7919L % 1000).append('\n');
    }
    return Files.writeString(bench.path(name), lines.substring(0, LENGTH));
  }
}
