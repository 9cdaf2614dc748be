// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.file;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.blkmount.block.driver.Preallocation;
import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class HostFileTest {
  @TempDir Path directory;

  @ParameterizedTest(name = "direct buffer {0}")
  @ValueSource(booleans = {true, false})
  void writeIsReadBackAndGrowsTheFile(boolean direct) throws IOException {
    Path path = Files.createFile(directory.resolve("disk.raw"));
    ByteBuffer source = HostImages.pattern(3_000_000, direct);

    try (HostFile file = HostImages.open(path, true)) {
      file.write(1000, source.duplicate(), WriteFlags.NONE);
      file.flush();
      ByteBuffer target = HostImages.buffer(3_000_000, direct);
      file.read(1000, target);

      assertThat(target.hasRemaining()).isFalse();
      assertThat(target.flip()).isEqualTo(source);
      assertThat(file.length()).isEqualTo(3_001_000).isEqualTo(Files.size(path));
    }
  }

  @Test
  void writeConsumesOnlyPositionToLimit() throws IOException {
    Path path = Files.write(directory.resolve("disk.raw"), new byte[16]);
    ByteBuffer source = ByteBuffer.allocateDirect(8).put(new byte[] {1, 2, 3, 4, 5, 6, 7, 8});
    source.position(2).limit(5);

    try (HostFile file = HostImages.open(path, true)) {
      file.write(4, source, WriteFlags.NONE);
    }

    assertThat(source.position()).isEqualTo(5);
    assertThat(Files.readAllBytes(path))
        .containsExactly(0, 0, 0, 0, 3, 4, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0);
  }

  @Test
  void readPastTheEndGivesZeros() throws IOException {
    Path path = Files.write(directory.resolve("disk.raw"), new byte[] {7, 7, 7});

    try (HostFile file = HostImages.open(path, false)) {
      ByteBuffer target = HostImages.filled(6, (byte) 9);
      file.read(1, target);

      assertThat(target.flip()).isEqualTo(ByteBuffer.wrap(new byte[] {7, 7, 0, 0, 0, 0}));
    }
  }

  @Test
  void truncateChangesTheLengthBothWays() throws IOException {
    Path path = Files.write(directory.resolve("disk.raw"), new byte[100]);

    try (HostFile file = HostImages.open(path, true)) {
      file.truncate(5000, Preallocation.OFF);
      assertThat(file.length()).isEqualTo(5000).isEqualTo(Files.size(path));
      file.truncate(10, Preallocation.OFF);
      assertThat(file.length()).isEqualTo(10).isEqualTo(Files.size(path));
    }
  }

  @Test
  void closedFileSaysSo() throws IOException {
    HostFile file = HostImages.open(Files.createFile(directory.resolve("disk.raw")), false);
    file.close();

    assertThatThrownBy(() -> file.read(0, ByteBuffer.allocate(1)))
        .hasMessage("\"disk.raw\" is closed")
        .extracting(failure -> ((BlockException) failure).error())
        .isEqualTo(BlockError.NO_MEDIUM);
  }

  @Test
  void modificationTimeIsTheHosts() throws IOException {
    Path path = Files.createFile(directory.resolve("disk.raw"));
    Files.setLastModifiedTime(path, FileTime.fromMillis(1_234_567));

    try (HostFile file = HostImages.open(path, false)) {
      assertThat(file.modifiedNanos()).isEqualTo(1_234_567_000_000L);
      assertThat(file.fileKey().inode()).isEqualTo(Files.getAttribute(path, "unix:ino"));
      assertThat(file.fileKey().device()).isEqualTo(Files.getAttribute(path, "unix:dev"));
    }
  }

  @Test
  void unknownOptionValuesAreRefusedByName() {
    assertThatThrownBy(() -> HostImages.open("x", true, Map.of("aio", "native")))
        .hasMessage("option aio=native: only threads is supported");
  }
}
