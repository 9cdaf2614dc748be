// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.testing.Images;
import io.blkmount.block.testing.PagedBytes;
import io.blkmount.block.testing.QemuImg;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Random requests between snapshots that are taken, gone back to and deleted, on disks that change
 * their length: disk and snapshots agree with plain arrays, for us and for qemu-img.
 */
final class SnapshotModelTest {
  private static final int STEPS = 250;

  @TempDir private Path folder;

  static Stream<ImageShape> shapes() {
    ImageShape small = ImageShape.of(512, (192 << 10) + 512);
    ImageShape medium = ImageShape.of(4096, (3 << 20) + 1536);
    ImageShape large = ImageShape.of(65536, (4 << 20) + 512);
    return Stream.of(
        small,
        small.withRefcountBits(64),
        small.withRefcountBits(2).withBacking(77 << 10),
        medium.withBacking(4 << 20),
        medium.withRefcountBits(1),
        medium.withRefcountBits(4),
        large,
        large.withRefcountBits(32).withBacking(3 << 20),
        large.withExtendedL2(),
        medium.withEncryption("luks"),
        large.withEncryption("aes"));
  }

  @ParameterizedTest
  @MethodSource("shapes")
  void diskAndSnapshotsAgreeWithPlainArrays(ImageShape shape) throws IOException {
    for (long seed = 1; seed <= Images.SCALE; seed++) {
      TestImage.Options options =
          seed % 2 == 0 ? TestImage.Options.SMALL_CACHES : TestImage.Options.DEFAULT;
      TestImage.Options unusual = options.withUnusual(shape.clusterSize(), seed);
      ModelRun run = ModelRun.of(shape, unusual, seed).withSnapshots();
      PagedBytes image = run.run(STEPS).finish();
      if (seed == 1) {
        compareWithQemuImg(run, image);
      }
    }
  }

  private void compareWithQemuImg(ModelRun run, PagedBytes image) throws IOException {
    Path file = folder.resolve("image.qcow2");
    Path raw = folder.resolve("expected.raw");
    Images.store(image, file);
    Images.store(run.expected(), raw);
    if (run.backing() != null) {
      Images.store(run.backing(), folder.resolve("base.raw"));
    }
    QemuImg.requireClean(file, run);
    QemuImg.requireSame(file, raw, run);
    for (Map.Entry<String, byte[]> snapshot : run.snapshots().entrySet()) {
      byte[] theirs = SnapshotImages.convert(file, snapshot.getKey());
      int common = Math.min(theirs.length, snapshot.getValue().length);
      assertThat(Arrays.equals(theirs, 0, common, snapshot.getValue(), 0, common))
          .as("%s: qemu-img shows snapshot %s", run, snapshot.getKey())
          .isTrue();
    }
    QemuImg.onImage(file, "snapshot", "-l");
  }
}
