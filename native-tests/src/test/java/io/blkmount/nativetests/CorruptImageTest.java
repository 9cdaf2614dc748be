// SPDX-License-Identifier: Apache-2.0
package io.blkmount.nativetests;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** A damaged table costs what it maps, and nothing else. */
final class CorruptImageTest {
  private static final int CLUSTER = 4096;
  private static final long L2_SPAN = CLUSTER / 8 * CLUSTER;

  @RegisterExtension final Workbench bench = new Workbench();

  @Test
  void aCorruptL1EntryIsEioForItsPartAlone() throws IOException {
    Path image = bench.qcow2("disk.qcow2", "8M", "-o", "cluster_size=4k");
    Path source = bench.randomFile("source", 8 << 20, 1);
    Shell.run("qemu-img", "convert", "-n", "-f", "raw", "-O", "qcow2", source, image)
        .requireSuccess();
    overwriteSecondL1Entry(image, 0x8000_0000_0000_1200L);
    MountedImage mount = bench.mount("-r", image);

    Shell.Result damaged =
        Shell.run(
            "dd",
            "if=" + mount.disk(),
            "of=/dev/null",
            "bs=4k",
            "count=1",
            "skip=" + L2_SPAN / 4096,
            "iflag=direct");

    assertThat(damaged.errors()).contains("Input/output error");
    Shell.bash("cmp -n $3 $1 $2", source, mount.disk(), L2_SPAN);
    Shell.bash("cmp -i $3 $1 $2", source, mount.disk(), 2 * L2_SPAN);
    assertThat(mount.log()).contains("L2 table", "0x1200");
  }

  private static void overwriteSecondL1Entry(Path image, long entry) throws IOException {
    try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
      file.seek(40);
      long l1Offset = file.readLong();
      file.seek(l1Offset + 8);
      file.writeLong(entry);
    }
  }
}
