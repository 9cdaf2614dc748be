// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.blkmount.block.backend.BlockBackend;
import io.blkmount.block.bytes.ByteRange;
import io.blkmount.block.driver.BitmapInfo;
import io.blkmount.block.driver.BitmapStore;
import io.blkmount.block.driver.CreateOptions;
import io.blkmount.block.driver.DiscardMode;
import io.blkmount.block.driver.NewSnapshot;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import io.blkmount.block.open.OpenOptions;
import io.blkmount.block.testing.Images;
import io.blkmount.block.testing.QemuImg;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Dirty bitmaps as a program that opens a disk has them. */
final class BitmapDiskTest {
  private static final int KIB = 1024;

  @TempDir private Path folder;

  @ParameterizedTest
  @ValueSource(strings = {"cluster_size=4k", "data_file=d.raw,data_file_raw=on", "data_file=d.raw"})
  void bitmapsOfAnIncrementalBackup(String options) throws IOException {
    Path file = folder.resolve("disk.qcow2");
    QemuImg.create(file, "64M", options.replace("d.raw", folder.resolve("d.raw").toString()));
    OpenOptions open = OpenOptions.of(file.toString()).withDiscard(DiscardMode.UNMAP);
    try (BlockBackend disk = BlockLayer.open(open)) {
      disk.bitmaps().addBitmap("since monday", 64 * KIB, true);
      disk.write(100 * KIB, Images.bytes(100, 1));
    }
    try (BlockBackend disk = BlockLayer.open(open)) {
      disk.writeZeroes(10_000 * KIB, 64 * KIB, true);
      disk.discard(20_000 * KIB, 64 * KIB);
      BitmapStore bitmaps = disk.bitmaps();

      assertThat(bitmaps.bitmaps())
          .containsExactly(
              new BitmapInfo("since monday", 65536, 5 * 65536, true, false, true, false));
      assertThat(bitmaps.nextDirty("since monday", 0)).isEqualTo(range(64, 128));
      assertThat(bitmaps.nextDirty("since monday", 128 * KIB)).isEqualTo(range(9984, 10_112));
      assertThat(bitmaps.nextDirty("since monday", 15_000 * KIB)).isEqualTo(range(19_968, 20_096));
    }
    QemuImg.requireClean(file, options);
  }

  private static ByteRange range(int startKib, int endKib) {
    return ByteRange.between((long) startKib * KIB, (long) endKib * KIB);
  }

  @Test
  void anOverlayHasBitmapsOfItsOwn() throws IOException {
    Path base = folder.resolve("base.qcow2");
    QemuImg.create(base, "1M", "");
    QemuImg.img("bitmap", "--add", base, "of the base");
    Path file = folder.resolve("disk.qcow2");
    QemuImg.img("create", "-q", "-f", "qcow2", "-b", base, "-F", "qcow2", file);

    try (BlockBackend disk = BlockLayer.open(OpenOptions.of(file.toString()))) {
      assertThat(disk.bitmaps().bitmaps()).isEmpty();
      disk.bitmaps().addBitmap("of the overlay", 512, true);
      disk.write(1000, Images.bytes(100, 1));
    }

    assertThat(QemuImg.img("info", file)).contains("of the overlay");
    QemuImg.requireClean(file, "overlay");
    QemuImg.img("rebase", "-u", "-f", "qcow2", "-b", "", file);
  }

  /** As in QEMU: "Device has active dirty bitmaps". */
  @Test
  void snapshotsAreTakenAndDeletedButNotGoneBackTo() throws IOException {
    Path file = folder.resolve("disk.qcow2");
    QemuImg.create(file, "4M", "cluster_size=4k");
    try (BlockBackend disk = BlockLayer.open(OpenOptions.of(file.toString()))) {
      disk.bitmaps().addBitmap("a", 512, true);
      disk.write(0, Images.bytes(10_000, 1));
      disk.internalSnapshots().createSnapshot(NewSnapshot.ofDisk("s", Instant.EPOCH));
      disk.write(1 << 20, Images.bytes(512, 1));

      assertThatThrownBy(() -> disk.internalSnapshots().applySnapshot("s"))
          .hasMessage(
              "cannot go back to a snapshot: the image has dirty bitmaps, which would miss the"
                  + " change; remove \"a\"");
    }
    QemuImg.requireClean(file, "with a snapshot");
    try (BlockBackend disk = BlockLayer.open(OpenOptions.of(file.toString()))) {
      assertThat(disk.bitmaps().bitmaps().get(0).dirtyBytes()).isEqualTo(21 * 512);
      disk.internalSnapshots().createSnapshot(NewSnapshot.ofDisk("t", Instant.EPOCH));
      disk.bitmaps().removeBitmap("a");
      disk.internalSnapshots().applySnapshot("s");
      disk.internalSnapshots().deleteSnapshot("s");
    }
    QemuImg.requireClean(file, "gone back");
  }

  @Test
  void rawImagesKeepNone() throws IOException {
    String file = folder.resolve("disk.raw").toString();
    BlockLayer.create(file, "raw", CreateOptions.ofLength(1 << 20));

    try (BlockBackend disk = BlockLayer.open(OpenOptions.of(file).withFormat("raw"))) {
      assertThatThrownBy(disk::bitmaps)
          .isInstanceOfSatisfying(
              BlockException.class, e -> assertThat(e.error()).isEqualTo(BlockError.NOT_SUPPORTED))
          .hasMessage("\"" + file + "\": format raw keeps no bitmaps");
    }
  }

  @Test
  void aClosedDiskHasNone() throws IOException {
    String file = folder.resolve("disk.qcow2").toString();
    BlockLayer.create(file, "qcow2", CreateOptions.ofLength(1 << 20));
    BlockBackend disk = BlockLayer.open(OpenOptions.of(file));
    BitmapStore bitmaps = disk.bitmaps();
    disk.close();

    assertThatThrownBy(bitmaps::bitmaps).hasMessageContaining("closed");
    assertThatThrownBy(() -> bitmaps.addBitmap("a", 512, true)).hasMessageContaining("closed");
    assertThatThrownBy(() -> bitmaps.mergeBitmaps("a", List.of("b")))
        .hasMessageContaining("closed");
  }
}
