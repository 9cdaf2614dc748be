// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse;

import static java.nio.file.StandardOpenOption.READ;
import static java.nio.file.StandardOpenOption.WRITE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.blkmount.block.BlockLayer;
import io.blkmount.block.backend.BlockBackend;
import io.blkmount.block.bytes.HostName;
import io.blkmount.block.driver.CreateOptions;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import io.blkmount.block.open.OpenOptions;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The life of a mount. */
@OverBothTransports
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
final class FuseMountTest {
  private static final int LENGTH = 1 << 20;

  @Parameter String transport;
  @TempDir Path folder;
  private Path image;
  private Path mountPoint;

  @BeforeEach
  void createImage() throws IOException {
    image = RawDisks.create(folder.resolve("disk.img"), LENGTH, 1);
    mountPoint = Files.createDirectory(folder.resolve("mnt"));
  }

  private MountedDisk mount() throws IOException {
    return mount(mountPoint, image);
  }

  private MountedDisk mount(Path place, Path shown) throws IOException {
    BlockBackend disk = RawDisks.open(shown);
    return MountedDisk.on(place, disk, MountedDisk.options(disk, transport));
  }

  private MountOptions options(String name) {
    return MountOptions.of(name, 0, 0).withServing(MountedDisk.serving(transport));
  }

  private MountTable.Mount shown() throws IOException {
    return MountTable.read().at(mountPoint.toRealPath().toString());
  }

  @Test
  void mountIsShownUnderItsImagesName() throws Exception {
    MountOptions options = options("a,b\\c d.img,e");
    try (MountedDisk mounted = MountedDisk.on(mountPoint, RawDisks.open(image), options)) {
      assertThat(shown().type()).isEqualTo("fuse.blkmount");
      assertThat(shown().source()).isEqualTo("a,b\\c d.img,e");
      assertThat(Tools.run("findmnt", "-no", "OPTIONS", mountPoint.toString()))
          .startsWith("rw,nosuid,nodev")
          .contains("default_permissions");
      assertThat(mounted.mount().awaitEnd(0)).isFalse();
    }

    assertThat(shown()).isNull();
  }

  @ParameterizedTest
  @ValueSource(strings = {"umount", "fusermount3 -u", "umount -l"})
  void unmountByAnybodyEndsTheMount(String command) throws Exception {
    try (MountedDisk mounted = mount()) {
      Tools.run("sh", "-c", command + " " + mountPoint);

      assertThat(mounted.awaitEnd()).isTrue();
      mounted.mount().unmount();
      assertThat(mounted.mount().openHandles()).isZero();
    }
  }

  @Test
  void busyMountIsNotUnmounted() throws Exception {
    try (MountedDisk mounted = mount()) {
      try (FileChannel file = mounted.open(READ, WRITE)) {
        assertThat(mounted.mount().openHandles()).isEqualTo(1);
        assertThatThrownBy(() -> mounted.mount().unmount())
            .isInstanceOfSatisfying(
                BlockException.class, e -> assertThat(e.error()).isEqualTo(BlockError.BUSY))
            .hasMessageStartingWith("cannot unmount \"" + mountPoint.toRealPath());
        assertThat(file.write(ByteBuffer.allocate(10), 0)).isEqualTo(10);
      }

      mounted.mount().unmount();

      assertThat(mounted.awaitEnd()).isTrue();
    }
  }

  @Test
  void detachedMountServesItsHandlesToTheEnd() throws Exception {
    try (MountedDisk mounted = mount()) {
      try (FileChannel file = mounted.open(READ, WRITE)) {
        mounted.mount().detach();

        assertThat(mountPoint).isEmptyDirectory();
        assertThat(file.write(ByteBuffer.wrap(new byte[] {42}), 77)).isEqualTo(1);
        assertThat(mounted.mount().awaitEnd(0)).isFalse();
      }

      assertThat(mounted.awaitEnd()).isTrue();
    }

    assertThat(Files.readAllBytes(image)[77]).isEqualTo((byte) 42);
  }

  @ParameterizedTest(name = "detached before: {0}")
  @ValueSource(booleans = {false, true})
  void cutOffHandlesFail(boolean detached) throws Exception {
    try (MountedDisk mounted = mount()) {
      RandomAccessFile file = new RandomAccessFile(mounted.file().toFile(), "rw");
      if (detached) {
        mounted.mount().detach();
      }

      mounted.mount().cutOff();

      assertThat(mounted.awaitEnd()).isTrue();
      assertThatThrownBy(() -> file.write(1)).hasMessage("Transport endpoint is not connected");
      assertThatThrownBy(file::close).hasMessage("Transport endpoint is not connected");
      assertThat(mounted.mount().openHandles()).isZero();
    }
  }

  @Test
  void mountOfADeadServerIsReplaced() throws Exception {
    Process server = AbandonedMount.start(image, mountPoint, transport);
    server.destroyForcibly().waitFor(MountedDisk.PATIENCE_MILLIS, TimeUnit.MILLISECONDS);
    assertThat(Tools.attempt("ls", mountPoint.toString()).output())
        .endsWith("Transport endpoint is not connected");

    try (MountedDisk mounted = mount()) {
      assertThat(mounted.file()).exists();
    }

    assertThat(shown()).isNull();
  }

  @Test
  void fullDirectoryIsCoveredOnRequest() throws Exception {
    Files.createFile(mountPoint.resolve("covered"));
    MountOptions options = options("disk").withExtra(List.of("nonempty"));

    try (MountedDisk mounted = MountedDisk.on(mountPoint, RawDisks.open(image), options)) {
      assertThat(mountPoint.resolve("covered")).doesNotExist();
      assertThat(mounted.file()).exists();
    }
  }

  @Test
  void namesOfAnyBytesGoThrough() throws Exception {
    String name = "\u00fc\udcff, \\\n.img";
    String path = folder + "/" + name;
    BlockLayer.create(path, "raw", CreateOptions.ofLength(LENGTH));
    BlockBackend disk = BlockLayer.open(OpenOptions.of(path).withFormat("raw"));
    ExportTree tree = ExportTree.directory(List.of(disk));
    String shownName = tree.files().get(0).name();
    MountOptions options = options(path);

    FuseMount mount = FuseMount.start(tree, mountPoint.toString(), options);
    try (disk) {
      assertThat(shownName).isEqualTo("\u00fc\udcff, \\\n.raw");
      assertThat(shown().source()).isEqualTo(path);
      assertThat(HostCalls.status(mountPoint + "/" + shownName).size()).isEqualTo(LENGTH);
      assertThat(Tools.run("ls", "-b", mountPoint.toString()))
          .isEqualTo("\\303\\274\\377,\\ \\\\\\n.raw");
    } finally {
      mount.unmount();
      assertThat(mount.awaitEnd(MountedDisk.PATIENCE_MILLIS)).isTrue();
    }
    assertThat(HostName.encode(shownName)).contains(0xff);
  }

  @Test
  void manyMountsLiveInOneProcess() throws Exception {
    List<MountedDisk> mounts = new ArrayList<>();
    try {
      for (int i = 0; i < 20; i++) {
        Path other = RawDisks.create(folder.resolve(i + ".img"), LENGTH, i);
        mounts.add(mount(folder.resolve("mnt" + i), other));
      }
      for (int i = 0; i < 20; i++) {
        assertThat(mounts.get(i).file()).hasSameBinaryContentAs(folder.resolve(i + ".img"));
      }
    } finally {
      for (MountedDisk mounted : mounts) {
        mounted.close();
      }
    }
  }

  @Test
  void mountingOftenLeavesNothingBehind() throws Exception {
    mount().close();
    long before = openDescriptors();

    for (int i = 0; i < 50; i++) {
      try (MountedDisk mounted = mount()) {
        assertThat(mounted.file()).hasSize(LENGTH);
      }
    }

    assertThat(openDescriptors()).isLessThanOrEqualTo(before);
    assertThat(Thread.getAllStackTraces().keySet()).noneMatch(FuseMountTest::isWorkerThatStays);
  }

  /** The last thread of a mount says that the mount has ended, and then has to end itself. */
  private static boolean isWorkerThatStays(Thread thread) {
    if (!thread.getName().startsWith("fuse-")) {
      return false;
    }
    try {
      thread.join(MountedDisk.PATIENCE_MILLIS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    return thread.isAlive();
  }

  private static long openDescriptors() throws IOException {
    try (Stream<Path> descriptors = Files.list(Path.of("/proc/self/fd"))) {
      return descriptors.count();
    }
  }
}
