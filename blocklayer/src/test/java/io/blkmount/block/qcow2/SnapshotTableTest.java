// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.blkmount.block.driver.DriverInstance;
import io.blkmount.block.driver.DriverOptions;
import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import io.blkmount.block.error.CorruptImageException;
import io.blkmount.block.testing.Images;
import io.blkmount.block.testing.MemoryChild;
import io.blkmount.block.testing.MemoryInstance;
import io.blkmount.block.testing.PagedBytes;
import io.blkmount.block.testing.Qcow2Layout;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The table as qemu-img writes it, and tables that somebody made up to do harm. */
final class SnapshotTableTest {
  private static final int CLUSTER = 4096;
  private static final int LENGTH = 1 << 20;

  /** Of an image that has written all of its disk and then taken two snapshots. */
  private final PagedBytes image = twoSnapshots();

  private static PagedBytes twoSnapshots() {
    MemoryInstance file = MemoryInstance.file(ImageShape.of(CLUSTER, LENGTH).create(), 1);
    try (TestImage disk = TestImage.open(file, null)) {
      disk.io().write(0, Images.bytes(LENGTH, 5), WriteFlags.NONE);
    } catch (IOException e) {
      throw new AssertionError(e);
    }
    PagedBytes first = SnapshotImages.take(file.content(), null, "first");
    return SnapshotImages.take(first, null, "1");
  }

  @Test
  void snapshotsOfQemuImgAreRead() throws IOException {
    List<SnapshotRecord> snapshots = table(image).read();

    assertThat(snapshots).extracting(SnapshotRecord::id).containsExactly("1", "2");
    assertThat(snapshots).extracting(SnapshotRecord::name).containsExactly("first", "1");
    assertThat(snapshots).extracting(SnapshotRecord::diskLength).containsOnly((long) LENGTH);
    assertThat(snapshots).extracting(SnapshotRecord::vmStateLength).containsOnly(0L);
  }

  @Test
  void snapshotsAreWrittenAsTheyWereRead() throws IOException {
    ByteBuffer written = ByteBuffer.allocate(CLUSTER);
    for (SnapshotRecord snapshot : table(image).read()) {
      snapshot.encode(written);
    }

    byte[] stored = image.bytes(Qcow2Layout.parse(image).snapshotsOffset(), CLUSTER);
    assertThat(written.array()).isEqualTo(stored);
  }

  @Test
  void idIsLookedForBeforeName() throws IOException {
    List<SnapshotRecord> snapshots = table(image).read();

    long byId = table(image).headerOf("1").l1TableOffset();
    long byName = table(image).headerOf("first").l1TableOffset();

    assertThat(byId).isEqualTo(byName).isEqualTo(snapshots.get(0).l1TableOffset());
    assertThat(table(image).headerOf("2").l1TableOffset())
        .isEqualTo(snapshots.get(1).l1TableOffset());
  }

  @Test
  void unknownSnapshotIsNamed() {
    assertThatThrownBy(() -> SnapshotImages.open(image, "no\u001b[2J"))
        .isInstanceOf(BlockException.class)
        .hasMessage("image \"x\": no internal snapshot has the id or name \"no\\x1b[2J\"")
        .matches(e -> ((BlockException) e).error() == BlockError.NOT_FOUND);
  }

  @Test
  void snapshotIsNotOpenedForWriting() {
    assertThatThrownBy(() -> SnapshotImages.open(image, true, "first"))
        .hasMessage(
            "cannot open \"x\" for writing: an internal snapshot never changes (read-only with"
                + " -r)");
  }

  /** Offsets are those in the table, which cannot be gone through by anybody. */
  @ParameterizedTest(name = "{0}")
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          36=00000401        | entry 0, field extra_data_size: 1025 is not in 0..1024
          12=ffffffff        | entry 0, field length: 131134 bytes at host offset
          """)
  void brokenTableIsRefused(String poke, String problem) {
    PagedBytes broken = poked(poke);

    for (boolean writable : new boolean[] {false, true}) {
      assertThatThrownBy(() -> open(MemoryInstance.file(broken, 1), writable, Map.of()))
          .isInstanceOf(CorruptImageException.class)
          .hasMessageStartingWith("image \"x\": snapshot table " + problem);
    }
  }

  /** Of such a snapshot the disk itself needs nothing. */
  @ParameterizedTest(name = "{0}")
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          0=0000000000001200 | entry 0, field l1_table_offset: 0x1200 is not a multiple of the cluster size 4096
          0=00ffffffff000000 | entry 0, field l1_table_offset: 8 bytes at host offset 0xffffffff000000 are not all in the file
          8=00400000         | entry 0, field l1_table_offset: 33554432 bytes at host offset
          8=00400001         | entry 0, field l1_size: 4194305 is not in 0..4194304
          48=ffffffffffffffff | entry 0, field disk size: 18446744073709551615 bytes is not below 2^63
          """)
  void brokenSnapshotIsRefusedAndLeavesTheDiskUsable(String poke, String problem)
      throws IOException {
    PagedBytes broken = poked(poke);

    assertThatThrownBy(() -> SnapshotImages.open(broken, "first"))
        .isInstanceOf(CorruptImageException.class)
        .hasMessageStartingWith("image \"x\": snapshot table " + problem);
    MemoryInstance host = MemoryInstance.file(broken, 1);
    try (DriverInstance disk = open(host, true, Map.of())) {
      disk.write(0, Images.bytes(512, 1), WriteFlags.NONE);
      disk.flush();
      assertThat(Images.read(disk, 0, 512)).isEqualTo(Images.bytes(512, 1));
    }
  }

  @Test
  void snapshotWithTooShortL1TableIsRefused() {
    PagedBytes broken = poked("48=0000000010000000");

    assertThatThrownBy(() -> SnapshotImages.open(broken, "first"))
        .isInstanceOf(CorruptImageException.class)
        .hasMessage(
            "image \"x\": snapshot \"1\" (\"first\"), field l1_size: 1 entries are too few for a"
                + " disk of 268435456 bytes, which needs 128");
  }

  @Test
  void entriesWithoutEndAreRefused() throws IOException {
    PagedBytes broken = image.copy();
    broken.write(Qcow2Header.SNAPSHOT_COUNT_AT, ByteBuffer.allocate(4).putInt(65536).flip());

    assertThatThrownBy(() -> open(broken, true))
        .isInstanceOf(CorruptImageException.class)
        .hasMessageContaining("snapshot table entry ");
  }

  @Test
  void guestDataIsNotWrittenOverSnapshotTables() throws IOException {
    Qcow2Layout layout = Qcow2Layout.parse(image);
    long l1Table = table(image).read().get(1).l1TableOffset();

    assertThat(overwriting(layout.snapshotsOffset()))
        .contains("would overwrite the snapshot table");
    assertThat(overwriting(l1Table)).contains("would overwrite the L1 table of a snapshot");
  }

  /** Points the first guest cluster there, as if it were ours alone, and writes to it. */
  private String overwriting(long hostOffset) throws IOException {
    PagedBytes hostile = image.copy();
    Qcow2Layout layout = Qcow2Layout.parse(image);
    long l2Offset = image.getLong(layout.l1Offset()) & L1Entry.OFFSET_MASK;
    hostile.write(l2Offset, ByteBuffer.allocate(8).putLong(L2Entry.normal(hostOffset)).flip());
    try (DriverInstance disk = open(MemoryInstance.file(hostile, 1), true, Map.of())) {
      disk.write(0, Images.bytes(512, 1), WriteFlags.NONE);
      return "written";
    } catch (CorruptImageException e) {
      return e.getMessage();
    }
  }

  private PagedBytes poked(String poke) {
    int equals = poke.indexOf('=');
    byte[] value = HexFormat.of().parseHex(poke.substring(equals + 1));
    PagedBytes broken = image.copy();
    try {
      long at = Qcow2Layout.parse(image).snapshotsOffset();
      broken.write(at + Integer.parseInt(poke.substring(0, equals)), ByteBuffer.wrap(value));
    } catch (CorruptImageException e) {
      throw new AssertionError(e);
    }
    return broken;
  }

  private static void open(PagedBytes content, boolean writable) throws IOException {
    Map<String, String> values = writable ? Map.of() : Map.of("internal-snapshot", "first");
    open(MemoryInstance.file(content.copy(), 1), writable, values).close();
  }

  private static DriverInstance open(
      MemoryInstance host, boolean writable, Map<String, String> values) throws IOException {
    return new Qcow2Driver()
        .open(new DriverOptions("x", writable, values), new MemoryChild(host).opener());
  }

  private static SnapshotTable table(PagedBytes content) throws IOException {
    MemoryChild file = new MemoryChild(MemoryInstance.file(content.copy(), 1));
    ByteBuffer start = ByteBuffer.wrap(content.bytes(0, CLUSTER));
    return new SnapshotTable("x", file, Qcow2Header.parse("x", start, content.length()));
  }
}
