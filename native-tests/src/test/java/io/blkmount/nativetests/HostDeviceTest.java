// SPDX-License-Identifier: Apache-2.0
package io.blkmount.nativetests;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A block device as the image. */
final class HostDeviceTest {
  private static final int LENGTH = 32 << 20;

  @RegisterExtension final Workbench bench = new Workbench();

  private Path store;
  private LoopDevice loop;

  @BeforeEach
  void attachALoopDevice() throws IOException {
    store = bench.randomFile("store", LENGTH, 1);
    loop = bench.attach(store);
  }

  @ParameterizedTest(name = "--cache={0}")
  @ValueSource(strings = {"writeback", "none"})
  void isReadAndWritten(String cache) throws IOException {
    Path source = bench.randomFile("source", LENGTH, 2);
    MountedImage mount = bench.mount("-f", "raw", "--cache", cache, loop.device());
    Contents.requireSame(store, mount.disk());

    Shell.bash("dd if=$1 of=$2 bs=99999 conv=notrunc,fsync status=none", source, mount.disk());

    Contents.requireSame(source, mount.disk());
    mount.unmount();
    Contents.requireSame(source, loop.device());
  }

  @Test
  void zeroedRangesReadAsZeros() throws IOException {
    MountedImage mount = bench.mount("-f", "raw", "--discard=unmap", loop.device());

    Shell.run("xfs_io", "-c", "fpunch 1m 4m", "-c", "fzero -k 8m 1000", mount.disk())
        .requireSuccess();

    Shell.bash("cmp -i 1M:0 -n 4M $1 /dev/zero; cmp -i 8M:0 -n 1000 $1 /dev/zero", mount.disk());
    mount.unmount();
    Shell.bash("cmp -i 1M:0 -n 4M $1 /dev/zero", loop.device());
  }

  @Test
  void aDeviceWithAMountedFileSystemIsRefused() throws IOException {
    Path folder = Files.createDirectory(bench.path("files"));
    Shell.run("mkfs.ext4", "-q", loop.device()).requireSuccess();
    Shell.run("mount", loop.device(), folder).requireSuccess();
    try {
      requireRefused();
    } finally {
      Shell.run("umount", folder).requireSuccess();
    }
  }

  @Test
  void aDeviceThatQemuHasOpenIsRefused() throws Exception {
    try (Locks.OpenInQemu qemu = Locks.openInQemu(loop.device(), "-f", "raw")) {
      Shell.Result result = requireRefused("-f", "raw");

      assertThat(result.errors()).contains("lock", "" + qemu.pid(), "qemu-io");
    }
    bench.mount("-f", "raw", loop.device());
  }

  private Shell.Result requireRefused(Object... options) throws IOException {
    Path mountPoint = Files.createDirectories(bench.path("refused"));
    Object[] command = new Object[options.length + 3];
    command[0] = Project.launcher();
    System.arraycopy(options, 0, command, 1, options.length);
    command[options.length + 1] = loop.device();
    command[options.length + 2] = mountPoint;
    Shell.Result result = Shell.run(command);
    assertThat(result.exitCode()).as(result.toString()).isEqualTo(1);
    assertThat(result.errorLines()).hasSize(1);
    assertThat(result.errors()).contains(loop.device().toString());
    assertThat(MountTable.contains(mountPoint)).isFalse();
    return result;
  }
}
