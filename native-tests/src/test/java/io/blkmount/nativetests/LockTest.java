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

/** One writer at a time, whichever program it is. */
final class LockTest {
  @RegisterExtension final Workbench bench = new Workbench();

  private Path image;

  @BeforeEach
  void makeAnImage() {
    image = bench.qcow2("disk.qcow2", "4M");
  }

  @Test
  void qemuIsRefusedWhileTheImageIsMounted() throws IOException {
    bench.mount(image);

    Locks.requireHeld(image);
    assertThat(QemuImg.run(java.util.List.of("qemu-img", "info", image.toString())).output())
        .contains("lock");
    Shell.run("qemu-img", "info", "-U", image).requireSuccess();
  }

  @Test
  void readersShareAnImageThatIsMountedReadOnly() throws IOException {
    bench.mount("-r", image);

    Shell.run("qemu-img", "info", image).requireSuccess();
    Shell.run("qemu-io", "-r", "-f", "qcow2", "-c", "read 0 4k", image).requireSuccess();
    Locks.requireHeld(image);
    bench.mount("-r", image);
  }

  @Test
  void anImageThatQemuHasOpenIsRefusedAndTheMessageNamesTheProcess() throws Exception {
    Path mountPoint = Files.createDirectory(bench.path("mnt"));
    try (Locks.OpenInQemu qemu = Locks.openInQemu(image, "-f", "qcow2")) {
      Shell.Result result = Shell.run(Project.launcher(), image, mountPoint);

      assertThat(result.exitCode()).isEqualTo(1);
      assertThat(result.errorLines()).hasSize(1);
      assertThat(result.errors()).contains(image.toString(), "lock", "" + qemu.pid(), "qemu-io");
    }
    bench.mount(image);
  }

  @Test
  void anImageThatIsMountedIsRefusedAndTheMessageNamesTheProcess() throws IOException {
    MountedImage first = bench.mount(image);
    Path mountPoint = Files.createDirectory(bench.path("second"));

    Shell.Result result = Shell.run(Project.launcher(), image, mountPoint);

    assertThat(result.exitCode()).isEqualTo(1);
    assertThat(result.errorLines()).hasSize(1);
    assertThat(result.errors()).contains(image.toString(), "" + first.pid());
    assertThat(MountTable.contains(mountPoint)).isFalse();
  }

  @Test
  void forceShareReadsBesideAWriter() throws Exception {
    QemuImg.io(image, "write -P 5 0 64k");
    try (Locks.OpenInQemu qemu = Locks.openInQemu(image, "-f", "qcow2")) {
      MountedImage mount = bench.mount("-U", image);

      Shell.bash("cmp -n 64k $1 <(head -c 64k /dev/zero | tr '\\0' '\\005')", mount.disk());
      assertThat(Files.isWritable(mount.disk()) && !isReadOnly(mount)).isFalse();
      mount.unmount();
      assertThat(qemu.pid()).isPositive();
    }
  }

  @Test
  void aBackingFileIsLockedAgainstWriters() throws IOException {
    Path top = bench.overlay("top.qcow2", "disk.qcow2", "qcow2");
    bench.mount(top);

    Locks.requireHeld(image);
    Shell.run("qemu-io", "-r", "-f", "qcow2", "-c", "read 0 4k", image).requireSuccess();
  }

  @Test
  void locksAreGoneAfterTheServerWasKilled() throws IOException {
    MountedImage mount = bench.mount(image);

    mount.kill();

    Locks.requireReleased(image);
  }

  private static boolean isReadOnly(MountedImage mount) {
    return java.util.List.of(MountTable.line(mount.mountPoint()).options().split(","))
        .contains("ro");
  }
}
