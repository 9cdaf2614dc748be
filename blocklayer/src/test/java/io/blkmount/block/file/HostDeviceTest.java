// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.file;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.blkmount.block.driver.DriverInstance;
import io.blkmount.block.driver.DriverOptions;
import io.blkmount.block.driver.Preallocation;
import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import io.blkmount.block.testing.DriverContract;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Block devices, on a loop device; needs root. */
final class HostDeviceTest {
  private static final int LENGTH = 4 << 20;

  @TempDir Path directory;
  private Path store;
  private LoopDevice loop;

  @BeforeEach
  void attach() throws IOException {
    assumeTrue(LoopDevice.isPossible(), "needs root and loop devices");
    store = directory.resolve("store.img");
    try (RandomAccessFile file = new RandomAccessFile(store.toFile(), "rw")) {
      file.setLength(LENGTH);
    }
    loop = LoopDevice.on(store);
  }

  @AfterEach
  void detach() throws IOException {
    if (loop != null) {
      loop.close();
    }
  }

  @Nested
  class Buffered extends OnLoop {
    Buffered() {
      super(Map.of());
    }
  }

  @Nested
  class Direct extends OnLoop {
    Direct() {
      super(Map.of("cache.direct", "on"));
    }
  }

  abstract class OnLoop extends DriverContract {
    private final Map<String, String> options;

    OnLoop(Map<String, String> options) {
      this.options = options;
    }

    @Override
    protected DriverInstance open(long length) throws IOException {
      return HostImages.open(loop.name(), true, options);
    }

    @Override
    protected DriverInstance reopen(DriverInstance closed) throws IOException {
      return open(LENGTH);
    }
  }

  @Test
  void lengthIsTheDevicesAndDoesNotChange() throws IOException {
    try (HostFile device = open(true)) {
      assertThat(device.length()).isEqualTo(LENGTH);
      assertThat(device.support().growable()).isFalse();
      assertThat(device.support().newSpaceReadsZero()).isFalse();
      assertThat(device.fileKey().inode()).isEqualTo(-1);
      assertThat(device.fileKey().device())
          .isEqualTo(Files.getAttribute(Path.of(loop.name()), "unix:rdev"));
      assertThatThrownBy(() -> device.truncate(LENGTH + 512, Preallocation.OFF))
          .hasMessage("cannot change the length of device \"%s\" from 4194304 to 4194816", shown());
      device.truncate(LENGTH, Preallocation.OFF);
    }
  }

  @Test
  void writePastTheEndIsNoSpace() throws IOException {
    try (HostFile device = open(true)) {
      assertThatThrownBy(
              () -> device.write(LENGTH, HostImages.filled(512, (byte) 1), WriteFlags.NONE))
          .hasMessage(
              "cannot write \"%s\": no space left on device: offset=4194304 count=512", shown())
          .extracting(failure -> ((BlockException) failure).error())
          .isEqualTo(BlockError.NO_SPACE);
    }
  }

  @Test
  void zeroedRangeReadsAsZerosThroughTheCacheAndBelow() throws IOException {
    try (HostFile device = open(true)) {
      device.write(0, HostImages.filled(LENGTH, (byte) 7), WriteFlags.NONE);
      device.writeZeroes(65536 + 512, 4096, WriteFlags.NONE);
      device.writeZeroes(131072, 65536, WriteFlags.MAY_UNMAP);

      ByteBuffer read = ByteBuffer.allocateDirect(LENGTH);
      device.read(0, read);
      assertThat(read.get(66047)).isEqualTo((byte) 7);
      assertThat(read.slice(66048, 4096)).isEqualTo(ByteBuffer.allocate(4096));
      assertThat(read.get(70144)).isEqualTo((byte) 7);
      assertThat(read.slice(131072, 65536)).isEqualTo(ByteBuffer.allocate(65536));
      device.flush();
      assertThat(Files.readAllBytes(store)).isEqualTo(HostImages.bytes(read.clear()));
    }
  }

  @Test
  void discardGivesSpaceBack() throws IOException {
    try (HostFile device = open(true)) {
      device.write(0, HostImages.filled(LENGTH, (byte) 7), WriteFlags.NONE);
      device.flush();
      device.discard(0, LENGTH);

      try (HostFile file = HostImages.open(store.toString(), false, Map.of("locking", "off"))) {
        assertThat(file.allocatedBytes()).isZero();
      }
      ByteBuffer read = ByteBuffer.allocateDirect(LENGTH);
      device.read(0, read);
      assertThat(read.flip()).isEqualTo(ByteBuffer.allocate(LENGTH));
    }
  }

  @Test
  void mountedDeviceIsRefusedForWritingAndServedForReading() throws IOException {
    LoopDevice.run("mkfs.ext4", "-q", loop.name());
    Path mountPoint = Files.createDirectory(directory.resolve("mnt"));
    LoopDevice.run("mount", loop.name(), mountPoint.toString());
    try {
      assertThatThrownBy(() -> open(true))
          .hasMessage(
              "cannot open \"%s\" for writing: the device is in use by the host, perhaps mounted"
                  + " (read-only with -r)",
              shown())
          .extracting(failure -> ((BlockException) failure).error())
          .isEqualTo(BlockError.BUSY);
      open(false).close();
    } finally {
      LoopDevice.run("umount", mountPoint.toString());
    }
  }

  @Test
  void readOnlyDeviceIsRefusedForWriting() throws IOException {
    try (LoopDevice readOnly = LoopDevice.on(store, "--read-only")) {
      assertThatThrownBy(() -> HostImages.open(readOnly.name(), true, Map.of()))
          .hasMessageEndingWith("(read-only with -r)")
          .isInstanceOf(BlockException.class);
      HostImages.open(readOnly.name(), false, Map.of()).close();
    }
  }

  /** The device's store is full, which only the write-back of the page cache finds out. */
  @Test
  void failedFlushIsNeverForgotten() throws IOException {
    Path small = Files.createDirectory(directory.resolve("small"));
    LoopDevice.run("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", small.toString());
    try {
      Path full = small.resolve("full.img");
      try (RandomAccessFile file = new RandomAccessFile(full.toFile(), "rw")) {
        file.setLength(LENGTH);
      }
      try (LoopDevice thin = LoopDevice.on(full);
          HostFile device = HostImages.open(thin.name(), true, Map.of())) {
        device.write(0, HostImages.filled(LENGTH, (byte) 7), WriteFlags.NONE);

        assertThatThrownBy(device::flush).hasMessageStartingWith("cannot flush");
        assertThatThrownBy(device::flush).hasMessageEndingWith("(earlier; reopen the image)");
      }
    } finally {
      LoopDevice.run("umount", small.toString());
    }
  }

  @Test
  void hostDeviceDriverTakesDevicesOnly() throws IOException {
    new HostDeviceDriver().open(options(loop.name()), HostImages.NO_CHILDREN).close();

    assertThatThrownBy(
            () -> new HostDeviceDriver().open(options(store.toString()), HostImages.NO_CHILDREN))
        .hasMessage("cannot open \"x\": is a regular file, not a block device");
  }

  private static DriverOptions options(String name) {
    return new DriverOptions("x", false, Map.of("filename", name));
  }

  private HostFile open(boolean writable) throws IOException {
    return HostImages.open(loop.name(), writable, Map.of());
  }

  private String shown() {
    return loop.name().substring("/dev/".length());
  }
}
