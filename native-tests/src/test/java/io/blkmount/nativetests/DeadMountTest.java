// SPDX-License-Identifier: Apache-2.0
package io.blkmount.nativetests;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.testing.QemuImg;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** A mount whose server was killed. */
@OverBothTransports
final class DeadMountTest {
  @RegisterExtension final Workbench bench;

  private Path image;
  private MountedImage dead;

  DeadMountTest(String transport) {
    bench = new Workbench(transport);
  }

  @BeforeEach
  void killAServer() throws IOException {
    image = bench.qcow2("disk.qcow2", "4M");
    dead = bench.mount(image);
    Shell.run("xfs_io", "-c", "pwrite -S 5 0 1m", "-c", "fsync", dead.disk()).requireSuccess();
    dead.kill();
    assertThat(Shell.run("ls", dead.mountPoint()).errors()).contains("not connected");
  }

  @Test
  void theNextMountCleansItUp() {
    assertThat(QemuImg.check(image).corruptions()).isZero();

    MountedImage next = bench.mountOn(dead.mountPoint(), image);

    Shell.bash("cmp -n 1M $1 <(head -c 1M /dev/zero | tr '\\0' '\\005')", next.disk());
    next.unmount();
    QemuImg.requireClean(image, "after the next mount");
  }

  @Test
  void ourUnmountTakesItAway() {
    Shell.run(Project.launcher(), "--unmount", dead.mountPoint()).requireSuccess();

    assertThat(MountTable.contains(dead.mountPoint())).isFalse();
  }

  @Test
  void aDeadMountOnAFileIsCleanedUpToo() throws IOException {
    Path file = Files.createFile(bench.path("disk"));
    MountedImage onFile = bench.mountOn(file, image);
    onFile.kill();

    MountedImage next = bench.mountOn(file, image);

    assertThat(next.disk()).hasSize(4 << 20);
    next.unmount();
    assertThat(file).isEmptyFile();
  }
}
