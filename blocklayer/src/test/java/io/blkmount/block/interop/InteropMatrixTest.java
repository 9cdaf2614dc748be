// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.interop;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.blkmount.block.BlockLayer;
import io.blkmount.block.backend.BlockBackend;
import io.blkmount.block.error.BlockException;
import io.blkmount.block.open.OpenOptions;
import io.blkmount.block.testing.DiskModel;
import io.blkmount.block.testing.Images;
import io.blkmount.block.testing.QemuImg;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Images with each feature of the format go from qemu-img to us and back: read here, written here,
 * checked and read there, written there, read here again; and the same for images made here.
 */
final class InteropMatrixTest {
  private static final int REQUESTS = 40;

  @TempDir private Path folder;

  static Stream<MatrixRow> rows() {
    return MatrixRow.pairwise().stream().filter(MatrixRow::isPossible);
  }

  static Stream<MatrixRow> rowsMadeHere() {
    return rows().filter(row -> row.feature().isMadeHere());
  }

  @ParameterizedTest
  @MethodSource("rows")
  void imagesOfQemuImgGoBackUnharmed(MatrixRow row) throws IOException {
    FeaturedImage image = new FeaturedImage(row, folder);
    image.makeByQemu();
    if (row.feature() == Feature.UNKNOWN_INCOMPATIBLE_BIT) {
      requireRefused(image);
    } else {
      workOn(row, image);
    }
  }

  @ParameterizedTest
  @MethodSource("rowsMadeHere")
  void imagesMadeHereAreQemus(MatrixRow row) throws IOException {
    FeaturedImage image = new FeaturedImage(row, folder);
    image.makeHere();
    image.view().requireClean();
    workOn(row, image);
  }

  private static void requireRefused(FeaturedImage image) {
    assertThatThrownBy(() -> BlockLayer.open(options(image)))
        .isInstanceOf(BlockException.class)
        .hasMessageContaining(FeaturePokes.UNKNOWN_FEATURE_NAME);
  }

  private static OpenOptions options(FeaturedImage image) {
    return OpenOptions.of(image.view().image().toString())
        .withFormat("qcow2")
        .withKeys(FeaturedImage::key);
  }

  private void workOn(MatrixRow row, FeaturedImage image) throws IOException {
    DiskModel model = image.content();
    requireReadable(row, image, model);
    writeHere(row, image, model);
    image.view().requireClean();
    compare(row, image, model);
    assertThat(FeaturePokes.kept(row.feature(), image.view().image()))
        .isEqualTo(row.feature().expectedAfterWrite());
    if (model.length() > 0) {
      image.view().io("write -P 7 123k 300k", "write -z 2M 512k", "discard 1M 256k");
    }
    requireReadable(row, image, image.content());
    if (row.feature() == Feature.VM_STATE) {
      requireState(row, image);
    }
  }

  /** The state of a machine is listed and loaded by QEMU, and loaded here. */
  private static void requireState(MatrixRow row, FeaturedImage image) throws IOException {
    Path file = image.view().image();
    assertThat(QemuImg.img("snapshot", "-l", file)).contains("first", "640 KiB");
    if (row.refcountBits() > 2) { // QEMU counts up before it counts down, to 4 here
      QemuImg.img("snapshot", "-a", "first", file);
      image.view().io("read -b -P 9 0 640k");
    }
    try (BlockBackend disk = BlockLayer.open(options(image))) {
      disk.internalSnapshots().applySnapshot("first");
      ByteBuffer state = ByteBuffer.allocateDirect(FeaturePokes.STATE);
      disk.vmState().readVmState(0, state);
      assertThat(state.flip()).isEqualTo(FeaturedImage.filled(FeaturePokes.STATE, 9));
    }
    image.view().requireClean();
  }

  /** A read-only open changes nothing. */
  private static void requireReadable(MatrixRow row, FeaturedImage image, DiskModel model)
      throws IOException {
    byte[] before = Files.readAllBytes(image.view().image());
    try (BlockBackend disk = BlockLayer.open(options(image).withReadOnly(true))) {
      checkAll(row, disk, model);
    }
    assertThat(Files.readAllBytes(image.view().image())).as("%s", row).isEqualTo(before);
  }

  private static void checkAll(MatrixRow row, BlockBackend disk, DiskModel model)
      throws IOException {
    assertThat(disk.length()).as("%s", row).isEqualTo(model.length());
    ByteBuffer whole = ByteBuffer.allocateDirect(model.length());
    disk.read(0, whole);
    model.check(0, whole.flip(), row);
  }

  /** What lies behind the last whole sector is not touched: qemu-img does not see it. */
  private static void writeHere(MatrixRow row, FeaturedImage image, DiskModel model)
      throws IOException {
    SplittableRandom random = new SplittableRandom(row.hashCode());
    try (BlockBackend disk = BlockLayer.open(options(image))) {
      for (int i = 0; i < REQUESTS && model.length() > 0; i++) {
        request(disk, model, random);
      }
      checkAll(row, disk, model);
    }
  }

  private static void request(BlockBackend disk, DiskModel model, SplittableRandom random)
      throws IOException {
    int end = model.length() & -512;
    int offset = random.nextInt(end);
    int length = Math.min(end - offset, random.nextInt(1, 1 << random.nextInt(9, 19)));
    switch (random.nextInt(8)) {
      case 0 -> {
        disk.writeZeroes(offset, length, random.nextBoolean());
        model.writeZeroes(offset, length);
      }
      case 1 -> {
        disk.discard(offset, length);
        model.discard(offset, length);
      }
      case 2 -> disk.flush();
      default -> {
        ByteBuffer bytes = Images.bytes(length, random.nextLong());
        model.write(offset, bytes);
        disk.write(offset, bytes);
      }
    }
  }

  private void compare(MatrixRow row, FeaturedImage image, DiskModel model) throws IOException {
    Path flat = folder.resolve("flat.raw");
    image.view().toRaw(flat);
    byte[] bytes = Files.readAllBytes(flat);
    ByteBuffer shown = ByteBuffer.wrap(bytes, 0, Math.min(bytes.length, model.length()));
    model.check(0, shown.slice(), row + " as qemu-img has it");
    for (int i = model.length(); i < bytes.length; i++) {
      assertThat(bytes[i]).as("%s: after the end", row).isZero();
    }
  }
}
