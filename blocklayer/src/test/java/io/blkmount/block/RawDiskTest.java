// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.blkmount.block.backend.BlockBackend;
import io.blkmount.block.driver.CreateOptions;
import io.blkmount.block.driver.Extent;
import io.blkmount.block.driver.Preallocation;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import io.blkmount.block.open.CacheMode;
import io.blkmount.block.open.OpenOptions;
import io.blkmount.block.testing.Images;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** A raw image from its name to its bytes and back. */
final class RawDiskTest {
  private static final int LENGTH = 1 << 20;

  @TempDir Path directory;
  private Path image;

  @BeforeEach
  void createImage() throws IOException {
    image = directory.resolve("disk.raw");
    BlockLayer.create(image.toString(), "raw", CreateOptions.ofLength(LENGTH));
  }

  private OpenOptions options() {
    return OpenOptions.of(image.toString());
  }

  @ParameterizedTest
  @EnumSource(CacheMode.class)
  void bytesAreReadBackNowAndAfterTheNextOpen(CacheMode cache) throws IOException {
    ByteBuffer bytes = Images.bytes(70_001, 1);
    try (BlockBackend disk = BlockLayer.open(options().withCache(cache))) {
      disk.write(1003, bytes.duplicate());
      assertThat(read(disk, 1003, 70_001)).isEqualTo(bytes);
      disk.flush();
    }

    try (BlockBackend disk = BlockLayer.open(options().withReadOnly(true))) {
      assertThat(read(disk, 1003, 70_001)).isEqualTo(bytes);
      assertThat(disk.length()).isEqualTo(LENGTH);
      assertThat(disk.format()).isEqualTo("raw");
    }
  }

  @Test
  void zeroedRangeReadsAsZeros() throws IOException {
    try (BlockBackend disk = BlockLayer.open(options())) {
      disk.write(0, Images.bytes(100_000, 1));

      disk.writeZeroes(1, 99_998, true);

      ByteBuffer read = read(disk, 0, 100_000);
      assertThat(read.get(0)).isNotZero();
      assertThat(read.get(99_999)).isNotZero();
      assertThat(read.slice(1, 99_998)).isEqualTo(ByteBuffer.allocate(99_998));
    }
  }

  @Test
  void requestBeyondTheEndIsRefusedWhole() throws IOException {
    try (BlockBackend disk = BlockLayer.open(options())) {
      assertThatThrownBy(() -> disk.write(LENGTH - 1, Images.bytes(2, 1)))
          .hasMessage("request beyond end of disk: offset=1048575 count=2 length=1048576")
          .extracting(failure -> ((BlockException) failure).error())
          .isEqualTo(BlockError.TOO_BIG);
      assertThatThrownBy(() -> disk.read(LENGTH, ByteBuffer.allocate(1)))
          .isInstanceOf(BlockException.class);
      assertThat(read(disk, LENGTH - 1, 1).get(0)).isZero();
    }
  }

  @Test
  void readOnlyDiskRefusesEveryChange() throws IOException {
    FileTime before = Files.getLastModifiedTime(image);
    try (BlockBackend disk = BlockLayer.open(options().withReadOnly(true))) {
      assertThatThrownBy(() -> disk.write(0, Images.bytes(1, 1)))
          .extracting(failure -> ((BlockException) failure).error())
          .isEqualTo(BlockError.READ_ONLY);
      assertThat(disk.writable()).isFalse();
      assertThat(disk.modifiedNanos()).isEqualTo(before.to(TimeUnit.NANOSECONDS));
    }
  }

  @Test
  void sizeIsFixedUnlessItIsToBeChanged() throws IOException {
    try (BlockBackend disk = BlockLayer.open(options())) {
      assertThatThrownBy(() -> disk.truncate(512, Preallocation.OFF))
          .hasMessage("the size of \"" + image + "\" is fixed")
          .extracting(failure -> ((BlockException) failure).error())
          .isEqualTo(BlockError.NOT_PERMITTED);
    }
    try (BlockBackend disk = BlockLayer.open(options().withResizable(true))) {
      disk.truncate(3 * LENGTH, Preallocation.OFF);
      assertThat(disk.length()).isEqualTo(3 * LENGTH);
      disk.truncate(511, Preallocation.OFF);
    }
    assertThat(Files.size(image)).isEqualTo(511);
  }

  @Test
  void modificationTimeMovesWithWritesAlone() throws IOException {
    Files.setLastModifiedTime(image, FileTime.fromMillis(1000));
    try (BlockBackend disk = BlockLayer.open(options())) {
      disk.flush();
      disk.writeBack();
      read(disk, 0, 512);
      assertThat(disk.modifiedNanos()).isEqualTo(1_000_000_000L);

      disk.write(0, Images.bytes(1, 1));

      assertThat(disk.modifiedNanos()).isGreaterThan(1_600_000_000_000_000_000L);
    }
  }

  @Test
  void diskWithBytesOccupiesSpace() throws IOException {
    try (BlockBackend disk = BlockLayer.open(options())) {
      disk.write(LENGTH - 1, Images.bytes(1, 1));

      assertThat(disk.allocatedBytes()).isBetween(4096L, (long) LENGTH);
    }
  }

  @Test
  void optionsMayShowAWindowOfTheFile() throws IOException {
    try (BlockBackend disk = BlockLayer.open(options())) {
      disk.write(4000, Images.bytes(200, 5));
    }
    Map<String, String> window =
        Map.of("driver", "raw", "file.filename", image.toString(), "offset", "4000", "size", "200");
    try (BlockBackend disk = BlockLayer.open(OpenOptions.ofImageOptions(window))) {
      assertThat(disk.length()).isEqualTo(200);
      assertThat(read(disk, 0, 200)).isEqualTo(Images.bytes(200, 5));
      Extent extent = disk.extentAt(10, 1000);
      assertThat(extent).isEqualTo(Extent.data(10, 190, 4010));
    }
  }

  @Test
  void closedDiskSaysSo() throws IOException {
    BlockBackend disk = BlockLayer.open(options());
    disk.close();
    disk.close();

    assertThatThrownBy(disk::length)
        .hasMessage("image \"" + image + "\" is closed")
        .extracting(failure -> ((BlockException) failure).error())
        .isEqualTo(BlockError.NO_MEDIUM);
  }

  private static ByteBuffer read(BlockBackend disk, long offset, int length) throws IOException {
    ByteBuffer target = ByteBuffer.allocateDirect(length);
    disk.read(offset, target);
    assertThat(target.hasRemaining()).isFalse();
    return target.flip();
  }
}
