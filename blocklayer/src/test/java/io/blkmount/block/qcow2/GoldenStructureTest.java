// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.driver.DriverInstance;
import io.blkmount.block.driver.DriverOptions;
import io.blkmount.block.driver.NewSnapshot;
import io.blkmount.block.driver.Preallocation;
import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.testing.Images;
import io.blkmount.block.testing.MemoryChild;
import io.blkmount.block.testing.MemoryInstance;
import io.blkmount.block.testing.TestKey;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Structures that few images have against bytes that QEMU 7.2 wrote. */
final class GoldenStructureTest {
  private static final int CLUSTER = 512;
  private static final int REFCOUNT_BLOCK = 0x400;
  private static final int SNAPSHOT_TABLE = 0x2200;
  private static final HeaderRules SNAPSHOTS = HeaderRules.forSnapshot("golden", 0);

  private static ByteBuffer golden(String name) {
    return ByteBuffer.wrap(GoldenFile.load(name));
  }

  private static DriverInstance open(String name, Map<String, String> values) throws IOException {
    MemoryChild file = new MemoryChild(MemoryInstance.of(GoldenFile.load(name)));
    return new Qcow2Driver()
        .open(new DriverOptions(name, false, values, TestKey.SOURCE), file.opener());
  }

  private static ByteBuffer filled(int... values) {
    ByteBuffer bytes = ByteBuffer.allocate(values.length * CLUSTER);
    for (int value : values) {
      byte[] cluster = new byte[CLUSTER];
      Arrays.fill(cluster, (byte) value);
      bytes.put(cluster);
    }
    return bytes.flip();
  }

  // Compressed clusters: clusters of 4 KiB, the L2 table at 0x4000.

  /** The second stream begins inside the sector in which the first one ends. */
  @ParameterizedTest(name = "{0}")
  @CsvSource({"compressed-zlib, 503f, 5054", "compressed-zstd, 5031, 5044"})
  void compressedClustersLieSideBySide(String name, String second, String third) {
    ByteBuffer table = golden(name).slice(0x4000, 32);
    int secondAt = Integer.parseInt(second, 16);
    int thirdAt = Integer.parseInt(third, 16);
    List<CompressedCluster> expected =
        List.of(
            new CompressedCluster(0x5000, 512),
            new CompressedCluster(secondAt, 0x5200 - secondAt),
            new CompressedCluster(thirdAt, 0x5400 - thirdAt));

    List<CompressedCluster> clusters =
        IntStream.of(0, 1, 3)
            .mapToObj(index -> CompressedCluster.decode(table.getLong(8 * index), 12))
            .toList();

    assertThat(clusters).isEqualTo(expected);
    assertThat(clusters.stream().map(cluster -> cluster.encode(12)))
        .containsExactly(table.getLong(0), table.getLong(8), table.getLong(24));
    assertThat(table.getLong(16)).isEqualTo(L2Entry.normal(0x6000));
  }

  @ParameterizedTest(name = "{0}")
  @ValueSource(strings = {"compressed-zlib", "compressed-zstd"})
  void compressedStreamsAreRead(String name) throws IOException {
    byte[] lines =
        "compressed clusters, line by line\n".repeat(200).getBytes(StandardCharsets.US_ASCII);

    try (DriverInstance image = open(name, Map.of())) {
      ByteBuffer disk = Images.read(image, 0, 16 << 10);

      assertThat(disk.slice(0, 4096)).isEqualTo(ByteBuffer.wrap(lines, 0, 4096));
      assertThat(disk.slice(4096, 4096)).isEqualTo(filled(7, 7, 7, 7, 7, 7, 7, 7));
      assertThat(disk.slice(8192, 4096)).isEqualTo(golden(name).slice(0x6000, 4096));
      for (int i = 0; i < 4096; i++) {
        assertThat((int) disk.get(12288 + i)).isBetween(0, i < 712 ? 63 : 0);
      }
    }
  }

  // Snapshots: of a disk of 64 KiB twice, then of 96 KiB; the first has the state of a machine.

  /** The file ends before the padding of the last entry. */
  @Test
  void snapshotTableIsReadAndWrittenAgain() throws IOException {
    byte[] image = Arrays.copyOf(GoldenFile.load("snapshots"), SNAPSHOT_TABLE + CLUSTER);
    ByteBuffer table = ByteBuffer.wrap(image).position(SNAPSHOT_TABLE).slice();
    ByteBuffer written = ByteBuffer.allocate(table.capacity());
    int count = ByteBuffer.wrap(image).getInt(Qcow2Header.SNAPSHOT_COUNT_AT);
    int length = 0;

    for (int i = 0; i < count; i++) {
      ByteBuffer rest = table.slice(length, table.capacity() - length);
      SnapshotRecord record = SnapshotRecord.parse(SNAPSHOTS, CLUSTER, rest);
      record.encode(written);
      length += record.encodedLength();
      assertThat(record.id()).isEqualTo("" + (i + 1));
      assertThat(record.name()).isEqualTo(List.of("first", "second one", "3").get(i));
      assertThat(record.diskLength()).isEqualTo(i < 2 ? 64 << 10 : 96 << 10);
      assertThat(record.icount()).isZero();
      assertThat(record.vmStateLength()).isZero();
    }

    assertThat(count).isEqualTo(3);
    assertThat(written.flip()).isEqualTo(table.slice(0, length));
  }

  @Test
  void everySnapshotShowsWhatItKept() throws IOException {
    assertThat(snapshot("first")).isEqualTo(filled(1, 1, 0));
    assertThat(snapshot("second one")).isEqualTo(filled(1, 2, 2));
    assertThat(snapshot("3")).isEqualTo(filled(1, 2, 2));
  }

  private static ByteBuffer snapshot(String name) throws IOException {
    try (DriverInstance image = open("snapshots", Map.of("internal-snapshot", name))) {
      assertThat(image.length()).isEqualTo(name.equals("3") ? 96 << 10 : 64 << 10);
      return Images.read(image, 0, 3 * CLUSTER);
    }
  }

  /** qemu-img does not say how long the state is that it keeps; it lies behind the disk. */
  @Test
  void stateOfAMachineIsThereOnceItsSnapshotIsApplied() throws IOException {
    MemoryInstance file = MemoryInstance.of(GoldenFile.load("snapshots"));
    try (TestImage image = TestImage.open(file, null)) {
      Qcow2Image driver = (Qcow2Image) image.driver();
      driver.applySnapshot("first");
      ByteBuffer state = ByteBuffer.allocateDirect(2 * CLUSTER);
      driver.readVmState(0, state);

      assertThat(state.flip()).isEqualTo(filled(9, 9));
    }
  }

  // The first encryption of qcow2: clusters 0 and 3 of 512 bytes.

  @Test
  void legacyEncryptionIsRead() throws IOException {
    try (DriverInstance image = open("aes", Map.of())) {
      assertThat(Images.read(image, 0, 4 * CLUSTER)).isEqualTo(filled(5, 0, 0, 6));
    }
  }

  /** There is no random number in it. */
  @Test
  void legacyEncryptionWritesTheSameBytes() throws IOException {
    byte[] golden = GoldenFile.load("aes");
    MemoryInstance file = MemoryInstance.of(golden);
    try (TestImage image = TestImage.open(file, null)) {
      image.io().write(0, filled(1, 1, 1, 1), WriteFlags.NONE);
      image.io().write(0, filled(5), WriteFlags.NONE);
      image.io().write(3 * CLUSTER, filled(6), WriteFlags.NONE);
    }

    for (int index : new int[] {0, 3}) {
      int hostOffset = (int) (l2Entry(golden, index) & L1Entry.OFFSET_MASK);
      assertThat(file.bytes(hostOffset, CLUSTER))
          .isEqualTo(Arrays.copyOfRange(golden, hostOffset, hostOffset + CLUSTER));
    }
  }

  private static long l2Entry(byte[] image, int index) {
    ByteBuffer bytes = ByteBuffer.wrap(image);
    long l1 = bytes.getLong(Qcow2Header.L1_TABLE_OFFSET_AT);
    return bytes.getLong((int) L1Entry.l2Offset(bytes.getLong((int) l1)) + 8 * index);
  }

  // What no version knows.

  /** Whatever is changed in the header, their bytes stay where they are. */
  @Test
  void unknownPartsOfTheHeaderAreKept() throws IOException {
    byte[] golden = GoldenFile.load("unknown");
    HeaderExtensions known = HeaderBytes.of(golden).parse().extensions();
    assertThat(known.unknown())
        .extracting(HeaderExtensions.Unknown::type)
        .containsExactly(0x0badcafe, 0x5eed5eed);
    MemoryInstance file = MemoryInstance.of(golden);

    try (TestImage image = TestImage.open(file, null)) {
      image.io().write(0, filled(1), WriteFlags.NONE);
      image.pipeline().truncate(1 << 20, Preallocation.OFF);
      BitmapImages.store(image).addBitmap("changes", 512, true);
      ((Qcow2Image) image.driver()).createSnapshot(NewSnapshot.ofDisk("a", Instant.EPOCH));
    }

    ByteBuffer header = ByteBuffer.wrap(file.bytes(0, 4096));
    assertThat(header.getInt(Qcow2Header.SNAPSHOT_COUNT_AT)).isEqualTo(1);
    assertThat(header.getLong(Qcow2Header.COMPATIBLE_FEATURES_AT)).isEqualTo(1L << 40 | 1);
    assertThat(header.slice(100, 60)).isEqualTo(ByteBuffer.wrap(golden, 100, 60).slice());
  }

  // Refcounts of the narrowest and of the widest kind.

  @ParameterizedTest(name = "{0} bits")
  @CsvSource({"1, 0, 111111101110", "64, 6, 1111121122211111"})
  void refcountsAreReadAndWrittenAgain(int bits, int order, String expected) {
    ByteBuffer image = golden("refcounts-" + bits);
    ByteBuffer block = image.slice(REFCOUNT_BLOCK, CLUSTER);
    RefcountWidth width = new RefcountWidth(order);
    ByteBuffer written = ByteBuffer.allocate(CLUSTER);
    for (int i = 0; i < width.perBytes(CLUSTER); i++) {
      width.set(written, i, width.get(block, i));
    }

    assertThat(width.bits()).isEqualTo(bits);
    assertThat(image.getLong(0x200)).isEqualTo(REFCOUNT_BLOCK); // the refcount table
    assertThat(written).isEqualTo(block);
    String counts =
        IntStream.range(0, expected.length())
            .mapToObj(i -> String.valueOf(width.get(block, i)))
            .collect(Collectors.joining());
    assertThat(counts).isEqualTo(expected);
  }
}
