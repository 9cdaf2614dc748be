// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.driver.DiscardMode;
import io.blkmount.block.testing.Images;
import io.blkmount.block.testing.PagedBytes;
import io.blkmount.block.testing.QemuImg;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Random requests on images of every shape agree with a plain array, and with qemu-img. */
final class Qcow2ModelTest {
  private static final int[] REFCOUNT_BITS = {1, 2, 4, 8, 16, 32, 64};

  @TempDir private Path folder;

  /** Cluster sizes by refcount widths in full; backing, version and caches go around with them. */
  static Stream<ImageShape> shapes() {
    List<ImageShape> shapes = new ArrayList<>();
    int turn = 0;
    for (int clusterSize : new int[] {512, 4096, 65536, 2 << 20}) {
      int length = length(clusterSize);
      for (int bits : REFCOUNT_BITS) {
        shapes.add(withBacking(ImageShape.of(clusterSize, length).withRefcountBits(bits), turn++));
      }
      for (int i = 0; i < 2; i++) {
        shapes.add(withBacking(ImageShape.of(clusterSize, length).withVersion2(), turn++));
      }
      for (int bits : REFCOUNT_BITS) {
        ImageShape shape = ImageShape.of(clusterSize, length).withRefcountBits(bits);
        String type = turn % 2 == 0 ? "zlib" : "zstd";
        shapes.add(withBacking(shape.withCompression(type), turn++ + turn / 8));
      }
      shapes.add(ImageShape.of(clusterSize, length).withVersion2().withCompression("zlib"));
      shapes.add(withBacking(ImageShape.of(clusterSize, length).withEncryption("luks"), turn++));
      shapes.add(
          withBacking(
              ImageShape.of(clusterSize, length).withVersion2().withEncryption("aes"), turn++));
    }
    for (int clusterSize : new int[] {16384, 16384, 65536, 65536, 131072, 2 << 20}) {
      ImageShape shape = ImageShape.of(clusterSize, length(clusterSize)).withExtendedL2();
      shapes.add(withBacking(shape, turn++));
      String type = turn % 2 == 0 ? "zlib" : "zstd";
      shapes.add(withBacking(shape.withCompression(type), turn / 2));
    }
    return shapes.stream();
  }

  /** A few L2 tables of small clusters, a few large clusters; never a whole number of them. */
  private static int length(int clusterSize) {
    return switch (clusterSize) {
      case 512 -> (192 << 10) + 512;
      case 4096 -> (3 << 20) + 1536;
      case 16384, 65536, 131072 -> (4 << 20) + 512;
      default -> (9 << 20) + 2560;
    };
  }

  private static ImageShape withBacking(ImageShape shape, int turn) {
    return switch (turn % 4) {
      case 0 -> shape;
      case 1 -> shape.withBacking(shape.length());
      case 2 -> shape.withBacking(shape.length() / 2 + 77);
      default -> shape.withBacking(shape.length() * 3 / 2);
    };
  }

  @ParameterizedTest
  @MethodSource("shapes")
  void randomRequestsAgreeWithAPlainArray(ImageShape shape) throws IOException {
    int steps = shape.clusterSize() > 65536 ? 100 : 300;
    for (long seed = 1; seed <= Images.SCALE; seed++) {
      ModelRun run = ModelRun.of(shape, options(shape, seed), seed);
      PagedBytes image = run.run(steps).finish();
      if (seed == 1) {
        compareWithQemuImg(run, image);
      }
    }
  }

  private static TestImage.Options options(ImageShape shape, long seed) {
    long turn = seed + shape.refcountBits();
    TestImage.Options some =
        turn % 3 == 0 ? TestImage.Options.DEFAULT : TestImage.Options.SMALL_CACHES;
    return some.withDiscard(turn % 5 == 0 ? DiscardMode.IGNORE : DiscardMode.UNMAP)
        .withCompress(shape.isCompressed() && turn % 2 == 0)
        .withUnusual(shape.clusterSize(), seed + shape.refcountBits() / 3);
  }

  private void compareWithQemuImg(ModelRun run, PagedBytes image) {
    Path file = folder.resolve("image.qcow2");
    Path raw = folder.resolve("expected.raw");
    Images.store(image, file);
    Images.store(run.expected(), raw);
    if (run.backing() != null) {
      Images.store(run.backing(), folder.resolve("base.raw"));
    }
    QemuImg.requireClean(file, run);
    QemuImg.requireSame(file, raw, run);
  }
}
