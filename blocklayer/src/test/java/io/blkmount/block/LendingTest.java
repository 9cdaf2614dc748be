// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.blkmount.block.backend.BlockBackend;
import io.blkmount.block.backend.FileLending;
import io.blkmount.block.driver.CreateOptions;
import io.blkmount.block.driver.DetectZeroesMode;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import io.blkmount.block.open.CacheMode;
import io.blkmount.block.open.OpenOptions;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What the kernel may have for itself, and what is then no longer taken for granted. */
final class LendingTest {
  private static final int LENGTH = 1 << 20;

  @TempDir Path folder;
  private String image;

  @BeforeEach
  void createImage() throws IOException {
    image = folder.resolve("disk.img").toString();
    BlockLayer.create(image, "raw", CreateOptions.ofLength(LENGTH));
  }

  private OpenOptions raw() {
    return OpenOptions.of(image).withFormat("raw");
  }

  private static void assertNotLent(OpenOptions options, String why) throws IOException {
    try (BlockBackend disk = BlockLayer.open(options)) {
      assertThatThrownBy(disk::lendFile)
          .isInstanceOfSatisfying(
              BlockException.class, e -> assertThat(e.error()).isEqualTo(BlockError.NOT_SUPPORTED))
          .hasMessageContaining(why);
    }
  }

  @Test
  void whateverLooksAtRequestsKeepsTheFile() throws IOException {
    String overlay = folder.resolve("top.qcow2").toString();
    BlockLayer.create(overlay, "qcow2", CreateOptions.ofLength(LENGTH));

    assertNotLent(OpenOptions.of(image), "its format was probed (-f raw)");
    assertNotLent(OpenOptions.of(overlay), "its format is qcow2");
    assertNotLent(raw().withSnapshot(true), "temporary overlay (--snapshot)");
    assertNotLent(raw().withDetectZeroes(DetectZeroesMode.ON), "detect-zeroes");
    assertNotLent(raw().withCache(CacheMode.NONE), "--cache none");
    assertNotLent(raw().withCache(CacheMode.WRITETHROUGH), "--cache writethrough");
    assertNotLent(
        OpenOptions.ofImageOptions(Map.of("driver", "raw", "file.filename", image, "size", "4096")),
        "the disk is a part of its file");
    assertNotLent(
        OpenOptions.ofImageOptions(
            Map.of("driver", "raw", "file.filename", image, "file.cache.direct", "on")),
        "O_DIRECT");
  }

  @Test
  void lengthTimeAndHolesOfALentFileAreAskedAnew() throws IOException {
    try (BlockBackend disk = BlockLayer.open(raw());
        FileLending.Loan loan = disk.lendFile();
        FileChannel kernel = FileChannel.open(Path.of(image), StandardOpenOption.WRITE)) {
      assertThat(loan.descriptor()).isPositive();
      assertThat(disk.extentAt(0, LENGTH).length()).isEqualTo(LENGTH);

      kernel.write(ByteBuffer.allocate(4096), 0);
      kernel.write(ByteBuffer.allocate(10), LENGTH);
      Instant later = Instant.now().plusSeconds(100);
      Files.setLastModifiedTime(Path.of(image), FileTime.from(later));

      assertThat(disk.length()).isEqualTo(LENGTH + 10);
      assertThat(disk.modifiedNanos() / 1_000_000_000).isEqualTo(later.getEpochSecond());
      assertThat(disk.extentAt(0, LENGTH).length()).isEqualTo(4096);
    }
  }

  @Test
  void whoHasToSeeWritesWaitsForTheFileToComeBack() throws IOException {
    try (BlockBackend disk = BlockLayer.open(raw())) {
      FileLending.Loan loan = disk.lendFile();
      FileLending.Loan another = disk.lendFile();
      another.close();
      another.close();

      assertThatThrownBy(() -> disk.requireWritesSeen("mirror"))
          .isInstanceOfSatisfying(
              BlockException.class, e -> assertThat(e.error()).isEqualTo(BlockError.BUSY))
          .hasMessage(
              "cannot mirror \"%s\": the kernel writes the file by itself while it is open"
                      .formatted(image)
                  + " (--passthrough off)");
      loan.close();
      assertThatCode(() -> disk.requireWritesSeen("mirror")).doesNotThrowAnyException();
    }
  }
}
