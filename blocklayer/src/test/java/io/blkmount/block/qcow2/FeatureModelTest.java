// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.testing.Images;
import io.blkmount.block.testing.PagedBytes;
import io.blkmount.block.testing.QemuImg;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Random work with every feature of the format, in images in which every two features that go
 * together meet: disk, snapshots and bitmaps agree with plain arrays, for a reader of the tests,
 * for our own check, and for QEMU. Each turn of {@code -Dblkmount.tests.scale} has other images;
 * {@code -Dblkmount.tests.seed} is where they begin.
 */
final class FeatureModelTest {
  private static final long FIRST_SEED = Long.getLong("blkmount.tests.seed", 1);
  private static final int STEPS = 70;
  private static final int STEPS_OF_LARGE_CLUSTERS = 30;

  @TempDir private Path folder;

  /**
   * A shape and the seed of what is done with it.
   *
   * @param shape what the image has
   * @param seed of the requests
   */
  record Case(ModelShape shape, long seed) {
    @Override
    public String toString() {
      return shape + " seed " + seed;
    }
  }

  static Stream<Case> cases() {
    return Stream.iterate(FIRST_SEED, seed -> seed + 1)
        .limit(Images.SCALE)
        .flatMap(FeatureModelTest::cases);
  }

  private static Stream<Case> cases(long seed) {
    List<ModelShape> shapes = ModelShape.pairwise(seed);
    return IntStream.range(0, shapes.size())
        .mapToObj(index -> new Case(shapes.get(index), seed * 1000 + index));
  }

  @ParameterizedTest
  @MethodSource("cases")
  void everythingAgreesWithPlainArrays(Case one) throws IOException {
    ModelRun run = ModelRun.of(one.shape(), one.seed());
    boolean isLarge = one.shape().image().clusterSize() > 65536;

    PagedBytes image = run.run(isLarge ? STEPS_OF_LARGE_CLUSTERS : STEPS).finish();

    assertThat(CheckRun.of(image).result().isClean()).as("%s", run).isTrue();
    Path file = folder.resolve("image.qcow2");
    run.files().store(file);
    QemuImg.requireClean(file, run);
    requireSameDisk(run, file);
    requireSameSnapshots(run, file);
    if (one.shape().image().encryption().isEmpty() && run.files().data() == null) {
      run.bitmaps().compareQemus(file, run);
    }
  }

  private void requireSameDisk(ModelRun run, Path file) {
    Path raw = folder.resolve("disk.raw");
    QemuImg.convert(file, raw);
    PagedBytes theirs = Images.load(raw);
    PagedBytes ours = run.expected();
    assertThat(theirs.length()).as("%s", run).isEqualTo(ours.length());
    int length = (int) ours.length();
    assertThat(ByteBuffer.wrap(theirs.bytes(0, length)))
        .as("%s: as qemu-img has it", run)
        .isEqualTo(ByteBuffer.wrap(ours.bytes(0, length)));
  }

  /** What qemu-img shows of a snapshot is as long as the disk is now. */
  private static void requireSameSnapshots(ModelRun run, Path file) throws IOException {
    for (Map.Entry<String, ModelSnapshots.Kept> each : run.snapshots().entrySet()) {
      byte[] disk = each.getValue().disk();
      byte[] theirs = SnapshotImages.convert(file, each.getKey());
      int common = Math.min(theirs.length, disk.length);
      assertThat(ByteBuffer.wrap(theirs, 0, common))
          .as("%s: qemu-img shows snapshot %s", run, each.getKey())
          .isEqualTo(ByteBuffer.wrap(disk, 0, common));
    }
  }
}
