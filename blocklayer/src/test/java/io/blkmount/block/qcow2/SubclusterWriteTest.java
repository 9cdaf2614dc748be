// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.driver.Extent;
import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.testing.ForwardingInstance.Call;
import io.blkmount.block.testing.ForwardingInstance.Kind;
import io.blkmount.block.testing.Images;
import io.blkmount.block.testing.MemoryInstance;
import io.blkmount.block.testing.PagedBytes;
import io.blkmount.block.testing.Qcow2Checker;
import io.blkmount.block.testing.RecordingInstance;
import java.io.IOException;
import org.junit.jupiter.api.Test;

/** With extended L2 entries, no more than the touched subclusters is read, written and mapped. */
final class SubclusterWriteTest {
  private static final int CLUSTER = 65536;
  private static final int SUB = CLUSTER / 32;
  private static final int LENGTH = 64 << 20;

  private final ImageShape shape = ImageShape.of(CLUSTER, LENGTH).withExtendedL2();
  private final MemoryInstance memory = MemoryInstance.file(shape.create(), 1);
  private final RecordingInstance host = new RecordingInstance(memory);
  private final PagedBytes below = below();

  private static PagedBytes below() {
    PagedBytes bytes = new PagedBytes(LENGTH);
    bytes.write(0, Images.bytes(16 * CLUSTER, 3));
    return bytes;
  }

  private static void write(TestImage image, int offset, int length) throws IOException {
    image.io().write(offset, Images.bytes(length, length), WriteFlags.NONE);
  }

  private static Extent.Kind kindAt(TestImage image, int offset) throws IOException {
    return image.driver().extentAt(offset, 1).kind();
  }

  /** Returns the map in the L2 entry of a guest cluster below the first table's end. */
  private long map(int cluster) throws IOException {
    long l1 = memory.content().getLong(40);
    long l2 = L1Entry.l2Offset(memory.content().getLong(l1));
    return memory.content().getLong(l2 + 16L * cluster + 8);
  }

  private void requireClean() {
    assertThat(Qcow2Checker.check(memory.content())).matches(Qcow2Checker.Findings::isClean);
  }

  @Test
  void onlyTheEdgesOfSubclustersAreCopied() throws IOException {
    RecordingInstance base = new RecordingInstance(MemoryInstance.file(below, 1));
    try (TestImage image = TestImage.openOver(host, base)) {
      write(image, 0, SUB); // makes the L2 table
      base.clear();
      host.clear();

      write(image, 2 * CLUSTER + 3 * SUB + 100, SUB);

      assertThat(base.calls(Kind.READ))
          .containsExactly(Call.of(Kind.READ, 2 * CLUSTER + 3 * SUB, 2 * SUB));
      assertThat(host.calls(Kind.WRITE)).hasSize(1).allMatch(call -> call.length() == 2 * SUB);
      assertThat(image.driver().extentAt(2 * CLUSTER, CLUSTER))
          .isEqualTo(Extent.unallocated(2 * CLUSTER, 3 * SUB));
      assertThat(image.driver().extentAt(2 * CLUSTER + 3 * SUB, CLUSTER).length())
          .isEqualTo(2 * SUB);
      assertThat(Images.read(image.io(), 2 * CLUSTER + 5 * SUB, CLUSTER))
          .isEqualTo(Images.bytes(16 * CLUSTER, 3).slice(2 * CLUSTER + 5 * SUB, CLUSTER));
    }
    assertThat(map(2)).isEqualTo(0b11000);
    requireClean();
  }

  @Test
  void wholeSubclustersNeedNoCopy() throws IOException {
    RecordingInstance base = new RecordingInstance(MemoryInstance.file(below, 1));
    try (TestImage image = TestImage.openOver(host, base)) {
      write(image, CLUSTER + 7 * SUB, 40 * SUB);
      assertThat(base.calls(Kind.READ)).isEmpty();
      host.clear();
      write(image, CLUSTER + 5 * SUB, 2 * SUB);

      assertThat(host.calls(Kind.WRITE)).as("into the cluster that is there").hasSize(1);
      assertThat(base.calls(Kind.READ)).isEmpty();
    }
    assertThat(map(1)).isEqualTo(0xffff_ffe0L);
    assertThat(map(2)).isEqualTo(0x7fff);
    requireClean();
  }

  @Test
  void sequenceIsOneRequestAcrossSubclustersAndClusters() throws IOException {
    try (TestImage image = TestImage.open(host, null)) {
      write(image, 0, SUB);
      for (int at = CLUSTER; at < 5 * CLUSTER; at += SUB) {
        write(image, at, SUB);
      }
      image.io().flush();
      host.clear();

      Images.read(image.io(), CLUSTER, 4 * CLUSTER);
      write(image, CLUSTER, 4 * CLUSTER);

      assertThat(host.calls(Kind.READ)).hasSize(1);
      assertThat(host.calls(Kind.WRITE)).hasSize(1);
    }
    requireClean();
  }

  @Test
  void subclustersOfEveryStateAreWrittenAtOnce() throws IOException {
    try (TestImage image = TestImage.open(host, below)) {
      write(image, 0, 4 * CLUSTER);
      image.io().writeZeroes(CLUSTER + SUB, 5 * SUB, WriteFlags.NONE);
      write(image, 5 * CLUSTER + 9 * SUB, SUB);
      host.clear();

      write(image, 100, 3 * CLUSTER);
      write(image, 5 * CLUSTER + 10, CLUSTER - 20);

      assertThat(host.calls(Kind.WRITE)).as("of the second, the last subcluster").hasSize(3);
      assertThat(Images.read(image.io(), 100, 3 * CLUSTER))
          .isEqualTo(Images.bytes(3 * CLUSTER, 3 * CLUSTER));
      assertThat(Images.read(image.io(), 3 * CLUSTER + 100, 1000))
          .isEqualTo(Images.bytes(4 * CLUSTER, 4 * CLUSTER).slice(3 * CLUSTER + 100, 1000));
      assertThat(Images.read(image.io(), 5 * CLUSTER + 10, CLUSTER - 20))
          .isEqualTo(Images.bytes(CLUSTER - 20, CLUSTER - 20));
      for (int edge : new int[] {5 * CLUSTER, 6 * CLUSTER - 10}) {
        assertThat(Images.read(image.io(), edge, 10))
            .isEqualTo(Images.bytes(16 * CLUSTER, 3).slice(edge, 10));
      }
    }
    assertThat(map(5)).isEqualTo(SubclusterMap.ALL_STORED);
    requireClean();
  }

  @Test
  void zeroingSubclustersTouchesNoData() throws IOException {
    try (TestImage image = TestImage.open(host, below)) {
      write(image, 0, 2 * CLUSTER);
      image.io().flush();
      host.clear();

      image.io().writeZeroes(4 * SUB, 8 * SUB, WriteFlags.NONE);
      image.io().writeZeroes(3 * CLUSTER + SUB, SUB, WriteFlags.MAY_UNMAP);
      image.io().discard(CLUSTER + 30 * SUB, 2 * SUB);

      assertThat(host.calls(Kind.WRITE)).isEmpty();
      assertThat(kindAt(image, 4 * SUB)).isEqualTo(Extent.Kind.ZERO);
      assertThat(image.driver().extentAt(4 * SUB, CLUSTER).length()).isEqualTo(8 * SUB);
      assertThat(kindAt(image, 12 * SUB)).isEqualTo(Extent.Kind.DATA);
      assertThat(kindAt(image, 3 * CLUSTER)).isEqualTo(Extent.Kind.UNALLOCATED);
      assertThat(kindAt(image, 3 * CLUSTER + SUB)).isEqualTo(Extent.Kind.ZERO);
      assertThat(kindAt(image, 2 * CLUSTER - 1)).isEqualTo(Extent.Kind.ZERO);
    }
    assertThat(map(0)).isEqualTo(0x00000ff0_fffff00fL);
    assertThat(map(3)).isEqualTo(0x00000002_00000000L);
    requireClean();
  }

  @Test
  void aWholeClusterThatIsDiscardedIsFree() throws IOException {
    try (TestImage image = TestImage.open(host, null)) {
      write(image, 0, 2 * CLUSTER);
      image.io().discard(SUB, 2 * CLUSTER - SUB);
      image.io().flush();
      assertThat(image.driver().extentAt(SUB, 2 * CLUSTER).kind()).isEqualTo(Extent.Kind.ZERO);
    }
    assertThat(map(0)).isEqualTo(0xffff_fffe_0000_0001L);
    assertThat(map(1)).isEqualTo(SubclusterMap.ALL_ZERO);
    assertThat(Qcow2Checker.check(memory.content()).allocatedClusters()).isEqualTo(1);
    requireClean();
  }

  @Test
  void whatASnapshotSharesIsCopiedWhole() throws IOException {
    try (TestImage image = TestImage.open(host, below)) {
      write(image, CLUSTER + 2 * SUB, 3 * SUB);
      write(image, CLUSTER + 20 * SUB, SUB);
    }
    MemoryInstance shared =
        MemoryInstance.file(SnapshotImages.take(memory.content(), below, "first"), 1);

    try (TestImage image = TestImage.open(shared, below)) {
      write(image, CLUSTER + 3 * SUB + 9, 11);
      assertThat(Images.read(image.io(), CLUSTER + 20 * SUB, SUB))
          .isEqualTo(Images.bytes(SUB, SUB));
      assertThat(Images.read(image.io(), CLUSTER + 2 * SUB, SUB))
          .isEqualTo(Images.bytes(3 * SUB, 3 * SUB).slice(0, SUB));
      assertThat(kindAt(image, CLUSTER + SUB)).isEqualTo(Extent.Kind.UNALLOCATED);
    }
    assertThat(Qcow2Checker.check(shared.content())).matches(Qcow2Checker.Findings::isClean);
  }

  /** The rest of the cluster may be anything: a backing file's, zeros. */
  @Test
  void reservedSpaceChangesNoByte() throws IOException {
    try (TestImage image = TestImage.open(host, below)) {
      image.io().writeZeroes(4 * SUB, SUB, WriteFlags.NONE);
      image.pipeline().reserve(0, 2 * CLUSTER);
      host.clear();

      assertThat(kindAt(image, 0)).isEqualTo(Extent.Kind.UNALLOCATED);
      assertThat(kindAt(image, 4 * SUB)).isEqualTo(Extent.Kind.ZERO);
      assertThat(Images.read(image.io(), CLUSTER, CLUSTER))
          .isEqualTo(Images.bytes(16 * CLUSTER, 3).slice(CLUSTER, CLUSTER));
      write(image, 0, CLUSTER);
      image.io().flush();
    }
    assertThat(map(0)).isEqualTo(SubclusterMap.ALL_STORED);
    assertThat(map(1)).isZero();
    assertThat(Qcow2Checker.check(memory.content()).allocatedClusters()).isEqualTo(2);
    requireClean();
  }
}
