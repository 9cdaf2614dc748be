// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.blkmount.block.driver.Extent;
import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import io.blkmount.block.testing.Images;
import io.blkmount.block.testing.MemoryInstance;
import io.blkmount.block.testing.PagedBytes;
import io.blkmount.block.testing.Qcow2Checker;
import io.blkmount.block.testing.QemuImg;
import io.blkmount.block.testing.SectorPattern;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Where compressed clusters go, what becomes of those that they replace, and what is refused. */
final class CompressedWriteTest {
  private static final int CLUSTER = 65536;
  private static final TestImage.Options ALL_COMPRESSED =
      TestImage.Options.DEFAULT.withCompress(true);

  @TempDir private Path folder;

  private MemoryInstance host = MemoryInstance.ofLength(0);

  private TestImage open(ImageShape shape, TestImage.Options options) throws IOException {
    host = MemoryInstance.file(shape.create(), 1);
    return TestImage.open(host, null, options);
  }

  /** Clusters of a few hundred bytes when compressed. */
  private static ByteBuffer shrinking(int clusters) {
    return ByteBuffer.allocateDirect(clusters * CLUSTER).put(0, Images.bytes(300, 1), 0, 300);
  }

  private static long entry(TestImage image, long guestOffset) throws IOException {
    return ((Qcow2Image) image.driver()).parts().lookup().find(guestOffset, 1).entry();
  }

  private static List<Long> hostClusters(TestImage image, int count) throws IOException {
    List<Long> clusters = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      long entry = entry(image, (long) i * CLUSTER);
      clusters.add(CompressedCluster.decode(entry, 16).hostOffset() / CLUSTER);
    }
    return clusters;
  }

  private void requireClean() {
    assertThat(Qcow2Checker.check(host.content())).matches(Qcow2Checker.Findings::isClean);
  }

  @Test
  void severalShareAHostCluster() throws IOException {
    try (TestImage image = open(ImageShape.of(CLUSTER, 16 * CLUSTER), TestImage.Options.DEFAULT)) {
      for (int i = 0; i < 16; i++) {
        image.io().write((long) i * CLUSTER, shrinking(1), WriteFlags.COMPRESSED);
      }

      assertThat(hostClusters(image, 16)).containsOnly(hostClusters(image, 1).get(0));
      assertThat(Images.read(image.io(), 0, CLUSTER)).isEqualTo(shrinking(1));
    }
    requireClean();
  }

  /** With one bit a host cluster has one owner only. */
  @ParameterizedTest
  @ValueSource(ints = {1, 2, 4})
  void aNarrowRefcountMeansANewCluster(int bits) throws IOException {
    ImageShape shape = ImageShape.of(CLUSTER, 16 * CLUSTER).withRefcountBits(bits);
    try (TestImage image = open(shape, TestImage.Options.DEFAULT)) {
      image.io().write(0, shrinking(16), WriteFlags.COMPRESSED);

      int most = (1 << bits) - 1;
      List<Long> clusters = hostClusters(image, 16);
      assertThat(clusters.stream().distinct()).hasSize((16 + most - 1) / most);
    }
    requireClean();
  }

  @Test
  void dataMayGoOnInTheNextHostCluster() throws IOException {
    ByteBuffer noisy = Images.bytes(40_000, 3);
    ByteBuffer cluster = ByteBuffer.allocateDirect(CLUSTER).put(0, noisy, 0, 40_000);
    try (TestImage image = open(ImageShape.of(CLUSTER, 8 * CLUSTER), TestImage.Options.DEFAULT)) {
      for (int i = 0; i < 8; i++) {
        image.io().write((long) i * CLUSTER, cluster.duplicate(), WriteFlags.COMPRESSED);
      }

      assertThat(host.content().length()).isLessThan(10L * CLUSTER);
      for (int i = 0; i < 8; i++) {
        assertThat(Images.read(image.io(), (long) i * CLUSTER, CLUSTER)).isEqualTo(cluster);
      }
    }
    requireClean();
  }

  @Test
  void whatDoesNotShrinkIsStoredAsItIs() throws IOException {
    try (TestImage image = open(ImageShape.of(CLUSTER, 8 * CLUSTER), ALL_COMPRESSED)) {
      image.io().write(0, Images.noise(2 * CLUSTER, 1), WriteFlags.NONE);

      assertThat(image.io().extentAt(0, 2 * CLUSTER).kind()).isEqualTo(Extent.Kind.DATA);
      assertThat(Images.read(image.io(), 0, 2 * CLUSTER)).isEqualTo(Images.noise(2 * CLUSTER, 1));
    }
    requireClean();
  }

  @Test
  void partsOfClustersAreCompressedWithTheRest() throws IOException {
    try (TestImage image = open(ImageShape.of(CLUSTER, 8 * CLUSTER), ALL_COMPRESSED)) {
      image.io().write(0, shrinking(3), WriteFlags.NONE);
      image.io().write(CLUSTER - 10, Images.bytes(20, 2), WriteFlags.NONE);
      image.io().writeZeroes(2 * CLUSTER, 100, WriteFlags.NONE);

      assertThat(image.io().extentAt(0, CLUSTER).kind()).isEqualTo(Extent.Kind.COMPRESSED);
      assertThat(image.io().extentAt(CLUSTER, 1).kind()).isEqualTo(Extent.Kind.COMPRESSED);
      assertThat(Images.read(image.io(), CLUSTER - 10, 20)).isEqualTo(Images.bytes(20, 2));
      assertThat(Images.read(image.io(), 0, 300)).isEqualTo(Images.bytes(300, 1));
    }
    requireClean();
  }

  @Test
  void theLastClusterMayBeShorter() throws IOException {
    int length = 2 * CLUSTER + 512;
    try (TestImage image = open(ImageShape.of(CLUSTER, length), TestImage.Options.DEFAULT)) {
      ByteBuffer end = shrinking(2).limit(CLUSTER + 512);
      image.io().write(CLUSTER, end.duplicate(), WriteFlags.COMPRESSED);

      assertThat(image.io().extentAt(2 * CLUSTER, 1).kind()).isEqualTo(Extent.Kind.COMPRESSED);
      assertThat(Images.read(image.io(), CLUSTER, CLUSTER + 512)).isEqualTo(end);
    }
    requireClean();
  }

  /** Whoever goes on with a host cluster must own it: here it became free in between. */
  @Test
  void aHostClusterThatBecameFreeIsNotGoneOnWith() throws IOException {
    try (TestImage image = open(ImageShape.of(CLUSTER, 8 * CLUSTER), TestImage.Options.DEFAULT)) {
      image.io().write(0, shrinking(1), WriteFlags.COMPRESSED);
      long first = hostClusters(image, 1).get(0);
      image.io().discard(0, CLUSTER);
      image.io().flush();
      image.io().flush();
      image.io().write(CLUSTER, Images.bytes(CLUSTER, 5), WriteFlags.NONE);
      assertThat(L2Entry.hostOffset(entry(image, CLUSTER)) / CLUSTER).isEqualTo(first);

      image.io().write(0, shrinking(1), WriteFlags.COMPRESSED);

      assertThat(hostClusters(image, 1).get(0)).isNotEqualTo(first);
      assertThat(Images.read(image.io(), CLUSTER, CLUSTER)).isEqualTo(Images.bytes(CLUSTER, 5));
    }
    requireClean();
  }

  /** 64 times the disk is written, without a flush by the guest. */
  @Test
  void spaceOfReplacedClustersIsUsedAgain() throws IOException {
    int length = 64 * CLUSTER;
    ImageShape shape = ImageShape.of(CLUSTER, length).withCompression("zstd");
    try (TestImage image = open(shape, ALL_COMPRESSED)) {
      for (int round = 1; round <= 64; round++) {
        ByteBuffer bytes = ByteBuffer.allocateDirect(length);
        for (int at = 0; at < length; at += CLUSTER) {
          bytes.put(at, Images.bytes(CLUSTER / 2, at + round), 0, CLUSTER / 2);
        }
        image.io().write(0, bytes, WriteFlags.NONE);
      }

      assertThat(host.content().length()).isLessThan(22L * length);
    }
    requireClean();
  }

  @Test
  void onlyWholeClustersAreTaken() throws IOException {
    try (TestImage image = open(ImageShape.of(CLUSTER, 8 * CLUSTER), TestImage.Options.DEFAULT)) {
      assertThatThrownBy(
              () -> image.io().write(512, Images.bytes(CLUSTER, 1), WriteFlags.COMPRESSED))
          .isInstanceOfSatisfying(
              BlockException.class, e -> assertThat(e.error()).isEqualTo(BlockError.INVALID))
          .hasMessage(
              "compressed write of parts of clusters: offset=512 count=65536 cluster_size=65536");
    }
  }

  @Test
  void nothingIsReservedWhereEveryWriteTakesNewSpace() throws IOException {
    try (TestImage image = open(ImageShape.of(CLUSTER, 8 * CLUSTER), ALL_COMPRESSED)) {
      assertThatThrownBy(() -> image.pipeline().reserve(0, CLUSTER))
          .isInstanceOfSatisfying(
              BlockException.class, e -> assertThat(e.error()).isEqualTo(BlockError.NOT_SUPPORTED));
    }
  }

  static Stream<Arguments> everyClusterSize() {
    return IntStream.rangeClosed(9, 21)
        .boxed()
        .flatMap(
            bits -> Stream.of(Arguments.of(1 << bits, "zlib"), Arguments.of(1 << bits, "zstd")));
  }

  /**
   * Matches that lie further back than the 4 KiB that QEMU's own deflate looks are in every cluster
   * that is longer.
   */
  @ParameterizedTest(name = "cluster size {0}, {1}")
  @MethodSource("everyClusterSize")
  void qemuImgReadsThem(int clusterSize, String type) throws IOException {
    int length = Math.max(64 * 512, 2 * clusterSize) + 512;
    ImageShape shape = ImageShape.of(clusterSize, length).withCompression(type);
    PagedBytes disk = new PagedBytes(length);
    disk.write(0, farRepeats(length, clusterSize));
    try (TestImage image = open(shape, TestImage.Options.DEFAULT)) {
      ByteBuffer bytes = ByteBuffer.wrap(disk.bytes(0, length));
      image.io().write(0, bytes, WriteFlags.COMPRESSED);
      for (long at = 0; at < length; at += clusterSize) {
        assertThat(image.io().extentAt(at, 1).kind()).isEqualTo(Extent.Kind.COMPRESSED);
      }
    }

    Path file = folder.resolve("image.qcow2");
    Path raw = folder.resolve("expected.raw");
    Images.store(host.content(), file);
    Images.store(disk, raw);
    QemuImg.requireClean(file, shape);
    QemuImg.requireSame(file, raw, shape);
  }

  /** Sectors that shrink, and in larger clusters every 6,000 bytes the same noise. */
  private static ByteBuffer farRepeats(int length, int clusterSize) {
    ByteBuffer bytes = SectorPattern.sectors(0, length / SectorPattern.SECTOR, 1);
    ByteBuffer noise = Images.bytes(2_500, 8);
    for (int at = 0; clusterSize > 4096 && at + 6_000 <= length; at += 6_000) {
      bytes.put(at, noise, 0, 2_500);
    }
    return bytes;
  }
}
