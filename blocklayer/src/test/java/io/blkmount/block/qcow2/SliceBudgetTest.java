// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.blkmount.block.error.CorruptImageException;
import io.blkmount.block.testing.MemoryChild;
import io.blkmount.block.testing.MemoryInstance;
import java.io.IOException;
import org.junit.jupiter.api.Test;

/** Caches that share what memory there is. */
final class SliceBudgetTest {
  private static final int SLICE = 4096;
  private static final int CHUNK = 65536;
  private static final int LENGTH = 4 << 20;

  private final SliceBudget budget = new SliceBudget(4 * CHUNK);

  private MetadataCache cache() {
    return new MetadataCache(
        "L2 table",
        new MetadataCache.Tables(new MemoryChild(MemoryInstance.ofLength(LENGTH)), 1 << 16, SLICE),
        LENGTH,
        budget);
  }

  private static void pinAll(MetadataCache cache) throws IOException {
    for (int offset = 0; offset < LENGTH; offset += SLICE) {
      cache.pin(offset).close();
    }
  }

  @Test
  void aCacheUsesItsOwnMemoryAgainWhenNoneIsLeft() throws IOException {
    MetadataCache cache = cache();

    pinAll(cache);

    assertThat(cache.heldBytes()).isEqualTo(4 * CHUNK);
    assertThat(budget.heldBytes()).isEqualTo(4 * CHUNK);
  }

  @Test
  void whoComesLateHasAFewSlicesAndMoreWhenOthersAreClosed() throws IOException {
    MetadataCache first = cache();
    MetadataCache second = cache();
    pinAll(first);

    pinAll(second);
    assertThat(second.heldBytes()).isEqualTo(CHUNK);

    first.close();
    pinAll(second);
    assertThat(second.heldBytes()).isEqualTo(4 * CHUNK);
  }

  @Test
  void whatCannotBeReadKeepsNoMemory() throws IOException {
    MetadataCache cache = cache();

    for (int i = 0; i < 10 * CHUNK / SLICE; i++) {
      int table = LENGTH + i * CHUNK;
      assertThatThrownBy(() -> cache.pin(table)).isInstanceOf(CorruptImageException.class);
    }

    assertThat(cache.heldBytes()).isEqualTo(CHUNK);
    assertThat(cache.dropUnused()).isEqualTo(CHUNK);
  }

  @Test
  void closingAnImageGivesItsShareBack() throws IOException {
    MemoryInstance host = MemoryInstance.file(ImageShape.of(65536, 1 << 20).create(), 1);
    TestImage image = TestImage.open(host, null);
    Metadata metadata = ((Qcow2Image) image.driver()).metadata();
    image.pipeline().reserve(0, 1 << 20);
    assertThat(metadata.l2Cache().heldBytes()).isPositive();

    image.close();

    assertThat(metadata.l2Cache().heldBytes() + metadata.refcountCache().heldBytes()).isZero();
  }
}
