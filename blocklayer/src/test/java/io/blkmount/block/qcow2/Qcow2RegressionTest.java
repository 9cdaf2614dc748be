// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.driver.Extent;
import io.blkmount.block.driver.Preallocation;
import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.testing.DiskModel;
import io.blkmount.block.testing.Images;
import io.blkmount.block.testing.MemoryInstance;
import io.blkmount.block.testing.PagedBytes;
import io.blkmount.block.testing.Qcow2Checker;
import io.blkmount.block.testing.Qcow2Checker.Findings;
import io.blkmount.block.testing.Qcow2Layout;
import io.blkmount.block.testing.QemuImg;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What others who write qcow2 got wrong once, each as a test. */
final class Qcow2RegressionTest {
  private static final int MIB = 1 << 20;

  @TempDir private Path folder;

  private MemoryInstance host;

  private TestImage open(PagedBytes content, @Nullable PagedBytes backing) throws IOException {
    host = MemoryInstance.file(content, 1);
    return TestImage.open(host, backing);
  }

  private TestImage open(ImageShape shape, @Nullable PagedBytes backing) throws IOException {
    return open(shape.create(), backing);
  }

  private void requireClean() {
    assertThat(Qcow2Checker.check(host.content())).matches(Findings::isClean);
  }

  private static PagedBytes filled(int length) {
    return PagedBytes.of(DiskModel.pattern(length, 5));
  }

  private static void assertZero(TestImage image, long offset, int length) throws IOException {
    byte[] bytes = new byte[length];
    Images.read(image.io(), offset, length).get(bytes);
    assertThat(bytes).containsOnly(0);
  }

  @ParameterizedTest
  @ValueSource(ints = {4096, 65536})
  void tenThousandFlushedWritesDoNotStrandSpace(int clusterSize) throws IOException {
    SplittableRandom random = new SplittableRandom(1);
    int length = 32 * MIB;
    try (TestImage image = open(ImageShape.of(clusterSize, length), null)) {
      for (int i = 0; i < 10_000; i++) {
        int offset = random.nextInt(length / 4096) * 4096;
        image.io().write(offset, Images.bytes(4096, i), WriteFlags.NONE);
        image.io().flush();
      }
    }

    Findings findings = Qcow2Checker.check(host.content());
    assertThat(findings).matches(Findings::isClean);
    long live = findings.allocatedClusters() * clusterSize;
    assertThat(host.length()).isLessThan(live + live / 20 + 8L * clusterSize);
  }

  @Test
  void spaceOfDiscardedClustersIsUsedAgain() throws IOException {
    try (TestImage image = open(ImageShape.of(4096, 16 * MIB), null)) {
      for (int i = 0; i < 200; i++) {
        long offset = (long) (i % 16) * MIB;
        image.io().write(offset, Images.bytes(MIB, i), WriteFlags.NONE);
        image.io().flush();
        image.io().discard(offset, MIB);
        image.io().flush();
      }
    }

    assertThat(host.length()).isLessThan(4 * MIB);
    assertThat(host.allocatedBytes()).isLessThan(MIB);
    requireClean();
  }

  @Test
  void punchInVersion2OverABackingFileReadsAsZeros() throws IOException {
    ImageShape shape = ImageShape.of(4096, MIB).withVersion2().withBacking(MIB);
    try (TestImage image = open(shape, filled(MIB))) {
      image.io().write(0, Images.bytes(16384, 1), WriteFlags.NONE);
      image.io().writeZeroes(0, 32768, WriteFlags.MAY_UNMAP);

      assertZero(image, 0, 32768);
    }
    try (TestImage image = TestImage.open(host, filled(MIB))) {
      assertZero(image, 0, 32768);
    }
    requireClean();
  }

  @Test
  void zerosOverABackingFileStayZerosAfterReopen() throws IOException {
    ImageShape shape = ImageShape.of(65536, MIB).withBacking(MIB);
    try (TestImage image = open(shape, filled(MIB))) {
      image.io().writeZeroes(100, MIB - 200, WriteFlags.MAY_UNMAP);
    }
    try (TestImage image = TestImage.open(host, filled(MIB))) {
      assertZero(image, 100, MIB - 200);
      assertThat(Images.read(image.io(), 0, 100).get(99)).isNotZero();
    }
    requireClean();
  }

  @Test
  void shorterBackingFileEndsInZeros() throws IOException {
    int held = MIB + 512;
    ImageShape shape = ImageShape.of(65536, 64 * MIB).withBacking(held);
    try (TestImage image = open(shape, filled(held))) {
      assertThat(Images.read(image.io(), held - 1, 2).get(0)).isNotZero();
      assertZero(image, held, 3 * MIB);

      image.io().write(held + 5000, Images.bytes(10, 1), WriteFlags.NONE);
      assertZero(image, held, 5000);
      assertThat(Images.read(image.io(), MIB, 512))
          .isEqualTo(ByteBuffer.wrap(filled(held).bytes(MIB, 512)));
    }
    requireClean();
  }

  @Test
  void grownDiskDoesNotShowItsLongerBackingFile() throws IOException {
    for (ImageShape shape : new ImageShape[] {ImageShape.of(4096, MIB), version2()}) {
      try (TestImage image = open(shape.withBacking(3 * MIB), filled(3 * MIB))) {
        image.pipeline().truncate(2 * MIB + 512, Preallocation.OFF);
        assertZero(image, MIB, MIB + 512);
      }
      requireClean();
    }
  }

  private static ImageShape version2() {
    return ImageShape.of(4096, MIB).withVersion2();
  }

  @Test
  void headerKeepsWhatTheDriverDoesNotKnow() throws IOException {
    PagedBytes content = ImageShape.of(65536, MIB).create();
    ByteBuffer header = ByteBuffer.wrap(content.bytes(0, 65536));
    int headerLength = header.getInt(100);
    // A larger header with a field of the future, two extensions nobody knows, unknown bits.
    ByteBuffer grown = ByteBuffer.allocate(65536);
    grown.put(header.array(), 0, headerLength).putLong(0x0102030405060708L);
    grown.putInt(100, headerLength + 8);
    grown.putLong(80, 0x8000L);
    grown.putLong(88, 0x4000L);
    grown.putInt(0xabcd0001).putInt(5).put("hello\0\0\0".getBytes(US_ASCII));
    grown.put(header.array(), headerLength, 65536 - headerLength - 24);
    content.write(0, grown.flip());

    try (TestImage image = open(content.copy(), null)) {
      image.io().write(0, Images.bytes(512, 1), WriteFlags.NONE);
      image.pipeline().truncate(4L << 30, Preallocation.OFF);
      image.io().write(3L << 30, Images.bytes(512, 1), WriteFlags.NONE);
    }

    ByteBuffer after = ByteBuffer.wrap(host.content().bytes(0, 65536));
    assertThat(after.getLong(88)).as("unknown autoclear bits are cleared").isZero();
    assertThat(after.getLong(80)).as("unknown compatible bits stay").isEqualTo(0x8000L);
    assertThat(after.slice(headerLength, 4096)).isEqualTo(grown.slice(headerLength, 4096));
    requireClean();
  }

  @Test
  void bit0OfACompressedEntryIsNoZeroFlag() throws IOException {
    Path raw = folder.resolve("raw");
    Path file = folder.resolve("compressed.qcow2");
    PagedBytes source = new PagedBytes(MIB);
    for (int at = 0; at < MIB; at += 4096) {
      source.write(at, ByteBuffer.wrap(DiskModel.pattern(501 + at / 4096, at)));
    }
    Images.store(source, raw);
    QemuImg.img("convert", "-c", "-O", "qcow2", "-o", "cluster_size=4k", raw, file);
    PagedBytes content = Images.load(file);
    assertThat(hasOddCompressedEntry(content)).isTrue();

    try (TestImage image = open(content, null)) {
      assertThat(Images.read(image.io(), 0, MIB)).isEqualTo(ByteBuffer.wrap(source.bytes(0, MIB)));
    }
  }

  private static boolean hasOddCompressedEntry(PagedBytes content) throws IOException {
    for (long table : MetadataClusters.l2Tables(content)) {
      for (int at = 0; at < Qcow2Layout.parse(content).clusterSize(); at += 8) {
        long entry = content.getLong(table + at);
        if ((entry & 1L << 62) != 0 && (entry & 1) != 0) {
          return true;
        }
      }
    }
    return false;
  }

  @Test
  void reservedZerosAreDiscardedAndWrittenAgain() throws IOException {
    try (TestImage image = open(ImageShape.of(4096, MIB), null)) {
      image.pipeline().reserve(0, 65536);
      assertZero(image, 0, 65536);
      assertThat(image.io().extentAt(0, 65536).kind()).isEqualTo(Extent.Kind.ZERO);

      image.io().discard(8192, 16384);
      image.io().writeZeroes(32768, 8192, WriteFlags.MAY_UNMAP);
      image.io().write(4096, Images.bytes(12288, 1), WriteFlags.NONE);
      image.io().write(33000, Images.bytes(100, 2), WriteFlags.NONE);

      assertZero(image, 0, 4096);
      assertThat(Images.read(image.io(), 4096, 12288)).isEqualTo(Images.bytes(12288, 1));
      assertZero(image, 16384, 33000 - 16384);
      assertThat(Images.read(image.io(), 33000, 100)).isEqualTo(Images.bytes(100, 2));
      assertZero(image, 33100, 65536 - 33100);
    }
    requireClean();
  }

  /** Encrypted bytes are whole sectors; what fallocate(2) asks for need not be. */
  @Test
  void oddRangesOfAnEncryptedOverlayAreReserved() throws IOException {
    PagedBytes base = new PagedBytes(MIB);
    base.write(0, Images.bytes(MIB, 1));
    try (TestImage image = open(ImageShape.of(524_288, MIB).withEncryption("aes"), base)) {
      image.pipeline().reserve(5000, 123_456);

      assertThat(image.pipeline().layerExtentAt(0, MIB).length()).isEqualTo(524_288);
      assertThat(Images.read(image.io(), 0, MIB)).isEqualTo(ByteBuffer.wrap(base.bytes(0, MIB)));
    }
  }
}
