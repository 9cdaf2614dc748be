// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.driver.CreateOptions;
import io.blkmount.block.driver.DiscardMode;
import io.blkmount.block.driver.Extent;
import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.testing.ForwardingInstance.Call;
import io.blkmount.block.testing.ForwardingInstance.Kind;
import io.blkmount.block.testing.Images;
import io.blkmount.block.testing.MemoryChild;
import io.blkmount.block.testing.MemoryInstance;
import io.blkmount.block.testing.PagedBytes;
import io.blkmount.block.testing.RecordingInstance;
import java.io.IOException;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** {@code l2-cache-entry-size} is how much of an L2 table is read, written and kept at once. */
final class CacheEntrySizeTest {
  private static final int CLUSTER = 65536;
  private static final int LENGTH = 512 << 20;

  /** Guest offset whose entry lies in the middle of the L2 table. */
  private static final int GUEST_OFFSET = 300 << 20;

  private static final int ENTRY_AT = GUEST_OFFSET / CLUSTER * Long.BYTES;

  private static TestImage.Options options(String... values) {
    return new TestImage.Options(
        DiscardMode.UNMAP,
        false,
        values.length == 0 ? Map.of() : Map.of("l2-cache-entry-size", values[0]));
  }

  /** Returns an image with one L2 table. */
  private static PagedBytes image() throws IOException {
    MemoryInstance memory = MemoryInstance.file(ImageShape.of(CLUSTER, LENGTH).create(), 1);
    try (TestImage image = TestImage.open(memory, null)) {
      image.io().write(0, Images.bytes(CLUSTER, 1), WriteFlags.NONE);
    }
    return memory.content();
  }

  private static void requireEntrySize(int size, TestImage.Options options) throws IOException {
    PagedBytes start = image();
    long l2Table = L1Entry.l2Offset(start.getLong(start.getLong(Qcow2Header.L1_TABLE_OFFSET_AT)));
    Call read = Call.of(Kind.READ, l2Table + (ENTRY_AT & -size), size);
    RecordingInstance host = new RecordingInstance(MemoryInstance.file(start, 1));
    try (TestImage image = TestImage.open(host, null, options)) {
      host.clear();
      Images.read(image.io(), GUEST_OFFSET, 512);
      assertThat(host.calls()).containsExactly(read);

      image.io().write(GUEST_OFFSET, Images.bytes(CLUSTER, 2), WriteFlags.NONE);
      host.clear();
      image.io().flush();
      assertThat(host.calls(Kind.WRITE))
          .contains(Call.of(Kind.WRITE, read.offset(), size))
          .noneMatch(
              call ->
                  call.offset() > l2Table - size
                      && call.offset() < l2Table + CLUSTER
                      && call.offset() != read.offset());
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {512, 1024, 4096, 32768, CLUSTER})
  void aPieceOfATableHasTheSizeThatIsWanted(int size) throws IOException {
    requireEntrySize(size, options(String.valueOf(size)));
  }

  @Test
  void itIs4KibByDefault() throws IOException {
    requireEntrySize(4096, options());
  }

  /** A run of more entries than the zeros that they are compared with. */
  @Test
  void aHoleIsAsLongAsTheLargestPiece() throws IOException {
    int cluster = 2 << 20;
    long span = (long) cluster / Long.BYTES * cluster;
    MemoryInstance memory = MemoryInstance.ofLength(0);
    Qcow2Creator.create(
        new MemoryChild(memory), new CreateOptions(2 * span, null, Map.of("cluster_size", "2M")));
    try (TestImage image = TestImage.open(memory, null, options("2M"))) {
      image.io().write(0, Images.bytes(512, 1), WriteFlags.NONE);

      Extent hole = image.io().extentAt(cluster, 2 * span - cluster);

      assertThat(hole.kind()).isEqualTo(Extent.Kind.UNALLOCATED);
      assertThat(hole.length()).isEqualTo(span - cluster);
    }
  }

  @Test
  void largePiecesAreGivenBackAsSmallOnesAre() throws IOException {
    int size = 2 << 20;
    SliceBudget budget = new SliceBudget(3L * size);
    MemoryChild file = new MemoryChild(MemoryInstance.ofLength(8L * size));
    MetadataCache cache =
        new MetadataCache(
            "L2 table", new MetadataCache.Tables(file, size, size), 6L * size, budget);
    for (int i = 0; i < 8; i++) {
      cache.pin((long) i * size).close();
    }

    assertThat(cache.maxSlices()).isEqualTo(6);
    assertThat(cache.heldBytes()).as("what the budget leaves").isEqualTo(3L * size);
    long unusedBefore = cache.dropUnused();
    assertThat(unusedBefore + cache.dropUnused()).isEqualTo(3L * size);
    assertThat(budget.heldBytes()).isZero();
  }
}
