// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.backend.BlockBackend;
import io.blkmount.block.driver.Preallocation;
import io.blkmount.block.testing.Images;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.MappedByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.concurrent.Callable;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A program changes the disk that it has mounted, and says so; the kernel had cached it. */
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
final class ChangedDiskTest {
  private static final int LENGTH = 1 << 20;
  private static final long LOOK_NANOS = 200_000;

  /** Attributes expire after a second: waiting for that so often would take too long. */
  private static final int SIZES = 100;

  @TempDir Path folder;
  private BlockBackend disk;
  private MountedDisk mounted;

  @BeforeEach
  void mount() throws IOException {
    disk = RawDisks.openResizable(RawDisks.create(folder.resolve("disk.img"), LENGTH, 1));
    MountOptions options = MountedDisk.options(disk, "channel");
    mounted = MountedDisk.on(folder.resolve("mnt"), disk, options);
  }

  @AfterEach
  void unmount() throws IOException {
    mounted.close();
  }

  private static void awaitThat(Callable<Boolean> condition) throws Exception {
    while (!condition.call()) {
      LockSupport.parkNanos(LOOK_NANOS);
    }
  }

  private static ByteBuffer read(FileChannel file, long offset, int length) throws IOException {
    ByteBuffer target = ByteBuffer.allocate(length);
    assertThat(file.read(target, offset)).isEqualTo(length);
    return target.flip();
  }

  @Test
  void readersSeeWhatChanged() throws Exception {
    try (FileChannel file = mounted.open(StandardOpenOption.READ)) {
      MappedByteBuffer map = file.map(MapMode.READ_ONLY, 0, LENGTH);
      map.load();
      ByteBuffer fresh = Images.bytes(8192, 2);
      disk.write(65_536, fresh.duplicate());

      mounted.mount().changed(disk, 65_536, 8192);

      awaitThat(() -> read(file, 65_536, 8192).equals(fresh));
      awaitThat(() -> map.slice(65_536, 8192).equals(fresh));
    }
  }

  @Test
  void lengthZeroIsEverythingThatFollows() throws Exception {
    try (FileChannel file = mounted.open(StandardOpenOption.READ)) {
      assertThat(read(file, 0, LENGTH)).isEqualTo(Images.bytes(LENGTH, 1));
      disk.write(0, Images.bytes(LENGTH, 2));

      mounted.mount().changed(disk, 0, 0);

      awaitThat(() -> read(file, 0, LENGTH).equals(Images.bytes(LENGTH, 2)));
    }
  }

  @Test
  void newSizeIsSeenAtOnce() throws Exception {
    for (int i = 1; i <= SIZES; i++) {
      long length = LENGTH + i * 4096L;
      assertThat(Files.size(mounted.file())).isEqualTo(length - 4096);
      disk.truncate(length, Preallocation.OFF);

      mounted.mount().changed(disk, length, 0);

      awaitThat(() -> Files.size(mounted.file()) == length);
    }
  }

  @Test
  void shrunkDiskEndsWhereItEnds() throws Exception {
    try (FileChannel file = mounted.open(StandardOpenOption.READ)) {
      assertThat(read(file, 0, LENGTH)).isEqualTo(Images.bytes(LENGTH, 1));
      disk.truncate(5000, Preallocation.OFF);
      disk.truncate(LENGTH, Preallocation.OFF);

      mounted.mount().changed(disk, 5000, 0);

      awaitThat(() -> read(file, 5000, 1000).equals(ByteBuffer.allocate(1000)));
      assertThat(read(file, 0, 5000)).isEqualTo(Images.bytes(LENGTH, 1).slice(0, 5000));
    }
  }

  /** Nobody has looked at the file yet, or the mount has ended: there is nothing to forget. */
  @Test
  void tellingOfWhatTheKernelDoesNotKnowDoesNoHarm() throws Exception {
    mounted.mount().changed(disk, 0, 0);
    try (BlockBackend other = RawDisks.open(RawDisks.create(folder.resolve("other"), LENGTH))) {
      mounted.mount().changed(other, 0, 0);
    }
    mounted.mount().unmount();
    assertThat(mounted.awaitEnd()).isTrue();
    mounted.mount().changed(disk, 0, 0);
  }
}
