// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.blkmount.block.driver.CreateOptions;
import io.blkmount.block.error.BlockException;
import io.blkmount.block.testing.DiskModel;
import io.blkmount.block.testing.ForwardingInstance.Call;
import io.blkmount.block.testing.ForwardingInstance.Kind;
import io.blkmount.block.testing.MemoryChild;
import io.blkmount.block.testing.MemoryInstance;
import io.blkmount.block.testing.PagedBytes;
import io.blkmount.block.testing.RecordingInstance;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * Images that were made up to make a check run for ever, take all memory, or fail in a way that is
 * not an answer. The limits of time are far above what the tests take, far below what they are for.
 */
@Timeout(60)
final class Qcow2CheckHostileTest {
  private static final int CLUSTER = 65536;
  private static final long L1 = 0x30000;

  private static PagedBytes created() throws IOException {
    MemoryInstance file = MemoryInstance.ofLength(0);
    Qcow2Creator.create(new MemoryChild(file), CreateOptions.ofLength(1L << 30));
    return file.content();
  }

  private static void putLong(PagedBytes image, long at, long value) {
    image.write(at, ByteBuffer.allocate(8).putLong(0, value));
  }

  private static void putInt(PagedBytes image, long at, int value) {
    image.write(at, ByteBuffer.allocate(4).putInt(0, value));
  }

  /** 4 million entries times 65,536 snapshots, each leading to a table of 8,192. */
  @Test
  void allSnapshotsShareOneHugeL1TableWithOneL2Table() throws IOException {
    PagedBytes image = created();
    long l2 = 0x40000;
    long data = 0x50000;
    long hugeL1 = 0x100000;
    int l1Entries = HeaderReader.MAX_L1_ENTRIES;
    byte[] entries = new byte[1 << 20];
    for (int at = 0; at < entries.length; at += 8) {
      ByteBuffer.wrap(entries).putLong(at, l2);
    }
    for (long at = 0; at < l1Entries * 8L; at += entries.length) {
      image.write(hugeL1 + at, ByteBuffer.wrap(entries));
    }
    for (int at = 0; at < CLUSTER; at += 8) {
      putLong(image, l2 + at, data);
    }
    long table = hugeL1 + l1Entries * 8L;
    ByteBuffer head = ByteBuffer.allocate(56);
    head.putLong(0, hugeL1).putInt(8, l1Entries).putInt(36, 16);
    for (int i = 0; i < HeaderReader.MAX_SNAPSHOTS; i++) {
      image.write(table + i * 56L, head.clear());
    }
    putInt(image, Qcow2Header.SNAPSHOT_COUNT_AT, HeaderReader.MAX_SNAPSHOTS);
    putLong(image, Qcow2Header.SNAPSHOT_TABLE_OFFSET_AT, table);

    CheckRun run = CheckRun.of(image);

    long tables = (long) l1Entries * HeaderReader.MAX_SNAPSHOTS;
    assertThat(run.texts())
        .anyMatch(text -> text.endsWith("at host offset 0x40000: refcount 0, references " + tables))
        .anyMatch(
            text ->
                text.endsWith("references " + tables * 8192 + ", more than a refcount can count"));
  }

  @Test
  void tablesThatReferToEachOtherInCircles() throws IOException {
    PagedBytes image = created();
    image.setLength(6 * CLUSTER);
    putLong(image, L1, L1);
    putLong(image, L1 + 8, 0x10000);
    putLong(image, 0x10008, 0x10000);
    putLong(image, 0x10010, L1);
    putLong(image, 0x20000, 0x0001_0001_0001_0001L);

    CheckRun run = CheckRun.of(image);

    assertThat(run.isConsistent()).isFalse();
  }

  @Test
  void manyWrongEntriesAreAllCountedButNotAllTold() throws IOException {
    PagedBytes image = created();
    putLong(image, L1, 0x40000);
    for (int at = 0; at < CLUSTER; at += 8) {
      putLong(image, 0x40000 + at, 0x7ff0_0000_0000L);
    }
    MemoryChild file = new MemoryChild(MemoryInstance.file(image, 1));
    int[] told = new int[1];

    var result = new Qcow2Driver().check("x", file, finding -> told[0]++);

    assertThat(result.corruptions()).isGreaterThan(8192);
    assertThat(told[0]).isEqualTo(CheckTally.MAX_TEXTS);
  }

  /** A sparse file of 64 TiB takes next to no memory. */
  @Test
  void hugeSparseFile() throws IOException {
    PagedBytes image = created();
    image.setLength(1L << 46);
    putLong(image, L1, 0x8000_3fff_0000_0000L);

    CheckRun run = CheckRun.of(image);

    assertThat(run.texts()).anyMatch(text -> text.contains("0x3fff00000000"));
  }

  /** L1 entries lead to half a gigabyte of holes, and a snapshot's L1 table is one. */
  @Test
  void noMoreHolesAreReadThanAnImageCanHave() throws IOException {
    PagedBytes image = created();
    long holes = 0x100000;
    int tables = CLUSTER / Long.BYTES;
    for (int i = 0; i < tables; i++) {
      putLong(image, L1 + i * 8L, holes + (long) i * CLUSTER);
    }
    putInt(image, Qcow2Header.L1_ENTRY_COUNT_AT, tables);
    putInt(image, Qcow2Header.SNAPSHOT_COUNT_AT, 1);
    putLong(image, Qcow2Header.SNAPSHOT_TABLE_OFFSET_AT, 0x50000);
    ByteBuffer head = ByteBuffer.allocate(56).putInt(36, 16);
    head.putLong(0, holes + (long) tables * CLUSTER).putInt(8, HeaderReader.MAX_L1_ENTRIES);
    image.write(0x50000, head.clear());
    image.setLength(holes + (long) tables * CLUSTER + HeaderReader.MAX_L1_ENTRIES * 8L);
    RecordingInstance host = new RecordingInstance(MemoryInstance.file(image, 1));

    var result = new Qcow2Driver().check("x", new MemoryChild(host), finding -> {});

    assertThat(result.corruptions()).isGreaterThan(tables);
    long read = host.calls(Kind.READ).stream().mapToLong(Call::length).sum();
    assertThat(read).isBetween(FileHoles.MOST_ZEROS, FileHoles.MOST_ZEROS + (4 << 20));
  }

  @Test
  void moreClustersThanCanBeCounted() throws IOException {
    PagedBytes image = created();
    image.setLength(1L << 50);

    assertThatThrownBy(() -> CheckRun.of(image))
        .isInstanceOf(BlockException.class)
        .hasMessage(
            "image \"test.qcow2\": too large to check: 17179869184 clusters, at most 2147483647"
                + " can be counted");
  }

  @Test
  void notAnImageAtAll() {
    assertThatThrownBy(() -> CheckRun.of(new PagedBytes(CLUSTER)))
        .isInstanceOf(BlockException.class)
        .hasMessageContaining("not a qcow2 image");
  }

  /** Whatever is in the file, the answer is a result or one line. */
  @Test
  void randomBytesGiveAnAnswer() throws IOException {
    long seed = System.nanoTime();
    SplittableRandom random = new SplittableRandom(seed);
    for (int i = 0; i < 300; i++) {
      PagedBytes image = created();
      image.setLength((5 + random.nextInt(4)) * CLUSTER - random.nextInt(2) * 700);
      putLong(image, L1, 0x8000_0000_0004_0000L);
      for (int j = 0; j < 20; j++) {
        long at = random.nextInt(2) == 0 ? random.nextLong(112) : random.nextLong(6 * CLUSTER);
        image.write(at, ByteBuffer.wrap(DiskModel.pattern(1 + random.nextInt(40), seed + j)));
      }
      try {
        CheckRun.of(image);
      } catch (BlockException e) {
        assertThat(e.getMessage()).as("seed %d round %d", seed, i).doesNotContain("\n");
      }
    }
  }

  /** Version, geometry and features stay; all that they lead to is random. */
  @Test
  void randomTablesGiveAResult() throws IOException {
    long seed = System.nanoTime();
    SplittableRandom random = new SplittableRandom(seed);
    for (int i = 0; i < 100; i++) {
      PagedBytes image = created();
      image.setLength(20 * CLUSTER);
      putInt(image, Qcow2Header.SNAPSHOT_COUNT_AT, random.nextInt(200));
      putLong(image, Qcow2Header.SNAPSHOT_TABLE_OFFSET_AT, 6 * CLUSTER);
      for (int j = 0; j < 5000; j++) {
        long at = CLUSTER + random.nextLong(9 * CLUSTER / 8) * 8;
        long entry = random.nextLong(24) * CLUSTER | 1L << random.nextInt(64);
        putLong(image, at, random.nextInt(4) == 0 ? random.nextLong() : entry);
      }

      CheckRun run = CheckRun.of(image);

      assertThat(run.isConsistent()).as("seed %d round %d", seed, i).isFalse();
    }
  }
}
