// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.backend.BlockBackend;
import io.blkmount.block.testing.Images;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class FileAttributesTest {
  private static final int LENGTH = 1 << 20;
  private static final long OLD = TimeUnit.SECONDS.toNanos(1_000_000_000) + 123_456_789;

  @TempDir Path folder;
  private Path image;

  @BeforeEach
  void createImage() throws IOException {
    image = RawDisks.create(folder.resolve("disk.img"), LENGTH);
    Files.setLastModifiedTime(image, FileTime.from(OLD, TimeUnit.NANOSECONDS));
  }

  private static FileAttributes attributes(ExportTree.Entry entry, int umask) throws IOException {
    MountOptions options =
        new MountOptions(
            "disk.img", false, false, 12, 34, umask, ServingOptions.DEFAULT, List.of());
    return FileAttributes.of(entry, options, 99);
  }

  private static FileAttributes attributes(BlockBackend disk) throws IOException {
    return attributes(ExportTree.file(disk).root(), MountOptions.NO_UMASK);
  }

  @Test
  void fileIsItsOwnersWithTheDisksLength() throws IOException {
    try (BlockBackend disk = RawDisks.open(image)) {
      FileAttributes shown = attributes(disk);

      assertThat(shown.mode()).isEqualTo(0100600);
      assertThat(shown.uid()).isEqualTo(12);
      assertThat(shown.gid()).isEqualTo(34);
      assertThat(shown.size()).isEqualTo(LENGTH);
      assertThat(shown.linkCount()).isEqualTo(1);
      assertThat(shown.blockSize()).isEqualTo(4096);
    }
  }

  @Test
  void readOnlyFileHasNoWritePermission() throws IOException {
    try (BlockBackend disk = RawDisks.openReadOnly(image)) {
      assertThat(attributes(disk).mode()).isEqualTo(0100400);
    }
  }

  @Test
  void modificationTimeIsTheImagesUntilSomethingIsWritten() throws IOException {
    try (BlockBackend disk = RawDisks.open(image)) {
      assertThat(attributes(disk).modifiedNanos()).isEqualTo(OLD);

      disk.flush();
      assertThat(attributes(disk).modifiedNanos()).isEqualTo(OLD);

      disk.write(0, Images.bytes(1, 1));
      assertThat(attributes(disk).modifiedNanos()).isGreaterThan(OLD);
    }
  }

  @Test
  void blocksAreWhatIsAllocated() throws IOException {
    try (BlockBackend disk = RawDisks.open(image)) {
      disk.write(0, Images.bytes(200_000, 1));
      disk.flush();

      assertThat(attributes(disk).blocks() * 512).isBetween(200_000L, LENGTH - 1L);
    }
  }

  @ParameterizedTest
  @CsvSource({"0, 0777, 0666", "022, 0755, 0644", "0777, 0, 0", "077, 0700, 0600"})
  void umaskReplacesThePrivatePermissions(String umask, String directory, String file)
      throws IOException {
    try (BlockBackend disk = RawDisks.open(image)) {
      ExportTree tree = ExportTree.directory(List.of(disk));
      int mask = Integer.parseInt(umask, 8);

      int directoryMode = attributes(tree.root(), mask).mode();
      int fileMode = attributes(tree.files().get(0), mask).mode();

      // Nothing can be created in the directory, so nobody may write there.
      assertThat(directoryMode).isEqualTo(040000 | Integer.parseInt(directory, 8) & 0555);
      assertThat(fileMode).isEqualTo(0100000 | Integer.parseInt(file, 8));
    }
  }

  @Test
  void usageIsTheDisksSizeLessWhatTheHostStores() throws IOException {
    try (BlockBackend disk = RawDisks.open(image)) {
      disk.write(0, Images.bytes(100_000, 1));
      disk.flush();

      FileSystemUsage usage = FileSystemUsage.of(ExportTree.directory(List.of(disk)));

      assertThat(usage.blocks()).isEqualTo(LENGTH / 4096);
      assertThat(usage.freeBlocks()).isBetween(1L, usage.blocks() - 100_000 / 4096);
      assertThat(usage.files()).isEqualTo(2);
    }
  }
}
