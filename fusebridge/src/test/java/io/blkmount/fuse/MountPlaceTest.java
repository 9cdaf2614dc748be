// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.blkmount.block.backend.BlockBackend;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Where a mount cannot be; looked at before any transport is asked. */
@Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
final class MountPlaceTest {
  private static final int LENGTH = 1 << 20;

  @TempDir Path folder;
  private Path image;
  private Path mountPoint;

  @BeforeEach
  void createImage() throws IOException {
    image = RawDisks.create(folder.resolve("disk.img"), LENGTH, 1);
    mountPoint = Files.createDirectory(folder.resolve("mnt"));
  }

  private MountedDisk mount() throws IOException {
    return MountedDisk.on(mountPoint, RawDisks.open(image));
  }

  private void assertRefused(ExportTree tree, Path place, BlockError error, String message)
      throws IOException {
    assertThatThrownBy(
            () -> FuseMount.start(tree, place.toString(), MountOptions.of("disk.img", 0, 0)))
        .isInstanceOfSatisfying(BlockException.class, e -> assertThat(e.error()).isEqualTo(error))
        .hasMessage(message);
  }

  @Test
  void placesThatCannotBeMountedOnAreRefusedOnOneLine() throws Exception {
    Path file = Files.writeString(folder.resolve("file"), "something");
    Path full = Files.createDirectories(folder.resolve("full/x")).getParent();
    String real = folder.toRealPath().toString();
    try (BlockBackend disk = RawDisks.open(image)) {
      ExportTree tree = ExportTree.directory(List.of(disk));

      assertRefused(
          tree,
          Path.of(real, "missing"),
          BlockError.NOT_FOUND,
          "cannot mount on \"" + real + "/missing\": No such file or directory");
      assertRefused(
          tree,
          file,
          BlockError.NOT_DIRECTORY,
          "cannot mount on \"" + real + "/file\": not a directory");
      assertRefused(
          tree,
          full,
          BlockError.INVALID,
          "cannot mount on \"" + real + "/full\": the directory is not empty");
      assertRefused(
          ExportTree.file(disk),
          mountPoint,
          BlockError.INVALID,
          "cannot mount on \"" + real + "/mnt\": not a regular file");
      assertRefused(
          ExportTree.file(disk),
          file,
          BlockError.INVALID,
          "cannot mount on \"" + real + "/file\": the file is not empty: 9 bytes");
    }
  }

  @Test
  void mountPointInUseIsRefused() throws Exception {
    Path other = RawDisks.create(folder.resolve("other.img"), LENGTH);
    try (MountedDisk mounted = mount();
        BlockBackend disk = RawDisks.open(other)) {
      assertRefused(
          ExportTree.directory(List.of(disk)),
          mountPoint,
          BlockError.BUSY,
          "cannot mount on \"%s\": already a mount point of \"%s\" (type fuse.blkmount)"
              .formatted(mountPoint.toRealPath(), image));
      assertThat(mounted.file()).exists();
    }
  }
}
