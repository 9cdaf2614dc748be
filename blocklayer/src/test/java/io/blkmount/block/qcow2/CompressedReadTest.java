// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import io.blkmount.block.testing.FaultInstance;
import io.blkmount.block.testing.ForwardingInstance.Kind;
import io.blkmount.block.testing.Images;
import io.blkmount.block.testing.MemoryInstance;
import io.blkmount.block.testing.PagedBytes;
import io.blkmount.block.testing.RecordingInstance;
import io.blkmount.block.testing.SectorPattern;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Reads of compressed clusters: whole, in part, many at once, damaged, and after they were dropped.
 */
final class CompressedReadTest {
  private static final int CLUSTER = 65536;
  private static final int LENGTH = 48 * CLUSTER + 512;

  private static PagedBytes disk() {
    PagedBytes bytes = new PagedBytes(LENGTH);
    bytes.write(0, SectorPattern.sectors(0, LENGTH / SectorPattern.SECTOR, 1));
    return bytes;
  }

  private static void assertReads(TestImage image, long offset, int length) throws IOException {
    assertThat(Images.read(image.io(), offset, length))
        .as("offset %d length %d", offset, length)
        .isEqualTo(ByteBuffer.wrap(disk().bytes((int) offset, length)));
  }

  private static long entry(TestImage image, long guestOffset) throws IOException {
    return ((Qcow2Image) image.driver()).parts().lookup().find(guestOffset, 1).entry();
  }

  private static boolean isKept(TestImage image, long entry) {
    return ((Qcow2Image) image.driver()).metadata().decompressed().holds(entry);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "cluster_size=512",
        "cluster_size=4k",
        "cluster_size=64k",
        "cluster_size=2M",
        "compression_type=zstd,cluster_size=4k",
        "compression_type=zstd,cluster_size=64k",
        "compression_type=zstd,cluster_size=2M",
      })
  void anyRangeReadsAsItWas(String options) throws IOException {
    SplittableRandom random = new SplittableRandom(options.hashCode());
    PagedBytes content = CompressedImages.of(disk(), options);
    try (TestImage image = TestImage.open(MemoryInstance.file(content, 1), null)) {
      assertReads(image, 0, LENGTH);
      for (int i = 0; i < 200; i++) {
        int longest = random.nextInt(10) == 0 ? LENGTH : 10_000;
        int offset = random.nextInt(LENGTH);
        assertReads(image, offset, 1 + random.nextInt(Math.min(longest, LENGTH - offset)));
      }
    }
  }

  @Test
  void readsInSequenceReadEachClusterOnce() throws IOException {
    PagedBytes content = CompressedImages.of(disk(), "cluster_size=64k");
    RecordingInstance host = new RecordingInstance(MemoryInstance.file(content, 1));
    try (TestImage image = TestImage.open(host, null)) {
      assertReads(image, 0, 512);
      host.clear();
      for (int at = 512; at + 5000 <= 8 * CLUSTER; at += 5000) {
        assertReads(image, at, 5000);
      }
      assertThat(host.calls(Kind.READ)).hasSize(7);
    }
  }

  @Test
  void failedReadOfTheFileIsTriedAgain() throws IOException {
    PagedBytes content = CompressedImages.of(disk(), "cluster_size=64k");
    FaultInstance host =
        new FaultInstance(
            MemoryInstance.file(content, 1), FaultInstance.MEDIUM, BlockError.IO, false);
    try (TestImage image = TestImage.open(host, null)) {
      assertReads(image, 0, 512);
      for (int length : new int[] {512, CLUSTER, 10 * CLUSTER}) {
        long offset = 2L * length / CLUSTER * CLUSTER + CLUSTER;
        host.failFrom(0);
        assertThatThrownBy(() -> Images.read(image.io(), offset, length))
            .hasMessageContaining("injected failure");
        host.heal();
        assertReads(image, offset, length);
      }
    }
  }

  /** The damage is in the second half of the stream, behind what the first read needs. */
  @Test
  void damagedStreamFailsWhereItIsDamagedAndIsNotKept() throws IOException {
    PagedBytes content = CompressedImages.of(disk(), "cluster_size=64k");
    long entry;
    try (TestImage image = TestImage.open(MemoryInstance.file(content.copy(), 1), null)) {
      entry = entry(image, CLUSTER);
    }
    CompressedCluster stored = CompressedCluster.decode(entry, 16);
    long middle = stored.hostOffset() + stored.lengthBytes() / 2;
    byte[] good = content.bytes((int) middle, 64);
    byte[] bad = new byte[64];
    MemoryInstance host = MemoryInstance.file(content, 1);
    host.write(middle, ByteBuffer.wrap(bad), WriteFlags.NONE);

    try (TestImage image = TestImage.open(host, null)) {
      assertReads(image, CLUSTER, 512);
      for (int length : new int[] {CLUSTER, CLUSTER - 512, 4 * CLUSTER}) {
        assertThatThrownBy(() -> Images.read(image.io(), CLUSTER, length))
            .isInstanceOfSatisfying(
                BlockException.class, e -> assertThat(e.error()).isEqualTo(BlockError.IO))
            .hasMessageContaining("compressed cluster at host offset 0x");
      }
      assertReads(image, 0, CLUSTER);
      assertReads(image, 2L * CLUSTER, 4 * CLUSTER);

      host.write(middle, ByteBuffer.wrap(good), WriteFlags.NONE);
      assertReads(image, CLUSTER, CLUSTER - 512);
      assertReads(image, CLUSTER, CLUSTER);
    }
  }

  @Test
  void clustersThatAreFreedAreForgotten() throws IOException {
    PagedBytes content = CompressedImages.of(disk(), "cluster_size=64k");
    try (TestImage image = TestImage.open(MemoryInstance.file(content, 1), null)) {
      for (int at = 0; at < 3 * CLUSTER; at += CLUSTER) {
        assertReads(image, at, 512);
      }
      long overwritten = entry(image, 0);
      long discarded = entry(image, CLUSTER);
      long zeroed = entry(image, 2L * CLUSTER);

      image.io().write(0, Images.bytes(CLUSTER, 1), WriteFlags.NONE);
      image.io().discard(CLUSTER, CLUSTER);
      image.io().writeZeroes(2L * CLUSTER, CLUSTER, WriteFlags.NONE);
      assertThat(Images.read(image.io(), 0, CLUSTER)).isEqualTo(Images.bytes(CLUSTER, 1));
      assertThat(Images.read(image.io(), CLUSTER, 512)).isEqualTo(ByteBuffer.allocate(512));
      assertThat(Images.read(image.io(), 2 * CLUSTER, 512)).isEqualTo(ByteBuffer.allocate(512));
      for (int i = 0; i < 3; i++) {
        image.io().flush();
      }

      assertThat(isKept(image, overwritten)).isFalse();
      assertThat(isKept(image, discarded)).isFalse();
      assertThat(isKept(image, zeroed)).isFalse();
    }
  }

  @Test
  void invalidateForgetsAll() throws IOException {
    PagedBytes content = CompressedImages.of(disk(), "cluster_size=64k");
    try (TestImage image = TestImage.open(MemoryInstance.file(content, 1), null)) {
      assertReads(image, 0, 512);
      assertThat(isKept(image, entry(image, 0))).isTrue();

      image.driver().invalidate();

      assertThat(isKept(image, entry(image, 0))).isFalse();
    }
  }
}
