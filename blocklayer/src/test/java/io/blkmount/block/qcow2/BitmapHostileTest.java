// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.blkmount.block.driver.BitmapInfo;
import io.blkmount.block.driver.BitmapKeeper;
import io.blkmount.block.driver.BitmapStore;
import io.blkmount.block.driver.DriverInstance;
import io.blkmount.block.driver.Preallocation;
import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import io.blkmount.block.testing.Images;
import io.blkmount.block.testing.MemoryInstance;
import io.blkmount.block.testing.PagedBytes;
import io.blkmount.block.testing.Qcow2Checker;
import io.blkmount.block.testing.Qcow2Layout;
import io.blkmount.block.testing.StoredBitmap;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.HexFormat;
import java.util.List;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Directories and tables that do not keep the rules, and bitmaps that must not be used. */
final class BitmapHostileTest {
  private static final int CLUSTER = 4096;
  private static final int LENGTH = 1 << 20;

  /** Length of the first record, "fine", whose table is one cluster. */
  private static final int RECORD = 32;

  private final PagedBytes image = image();
  private final long directory = directoryOffset();

  private static PagedBytes image() {
    MemoryInstance file =
        MemoryInstance.file(ImageShape.of(CLUSTER, LENGTH).withBitmaps().create(), 1);
    try (TestImage image = TestImage.open(file, null)) {
      image.io().write(0, Images.bytes(10 * 512, 1), WriteFlags.NONE);
    } catch (IOException e) {
      throw new AssertionError(e);
    }
    return file.content();
  }

  private long directoryOffset() {
    try {
      return Qcow2Layout.parse(image).bitmapsOffset();
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  private void patch(long at, String hex) {
    image.write(at, ByteBuffer.wrap(HexFormat.of().parseHex(hex)));
  }

  private TestImage open() throws IOException {
    return TestImage.open(MemoryInstance.file(image.copy(), 1), null);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "0  | 0000000000000000 | entry 0, field bitmap_table_offset: 0 is where the header is",
        "0  | 0000000000001000 | part of a bitmap",
        "0  | 0000000100000000 | are not all in the file",
        "8  | 00000002         | its table has 2 entries, a disk of 1048576 bytes needs 1",
        "12 | 00000080         | entry 0, field flags: 0x80 has unknown bits",
        "16 | 02               | entry 0, field type: 2 is not in 1..1",
        "17 | 3f               | entry 0, field granularity_bits: 63 is not in 9..31",
        "18 | ffff             | entry 0, field name_size: 65535 is not in 1..1023",
        "18 | 03ff             | entry 0, field length: 1047 bytes end behind the directory's",
        "20 | 00001000         | entry 0, field length: 4124 bytes end behind the directory's",
      })
  void aDirectoryThatCannotBeTrustedKeepsWritersOut(int at, String hex, String problem) {
    patch(directory + at, hex.trim());

    assertThatThrownBy(this::open)
        .isInstanceOf(IOException.class)
        .hasMessageContaining(problem)
        .satisfies(e -> assertThat(e.getMessage()).doesNotContain("\n"));
  }

  @Test
  void namesAreUnique() {
    patch(directory + 18, "0006");
    patch(directory + 24, "636f61727365");

    assertThatThrownBy(this::open).hasMessageContaining("field name: \"coarse\" occurs twice");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "0000000000000002 | its table entry 0 is 0x2",
        "0100000000000000 | its table entry 0 is 0x100000000000000",
        "0000000000005001 | its table entry 0 is 0x5001",
        "0000000000005200 | its table entry 0 is 0x5200",
        "0000000000000000 | ",
        "0000000100000000 | are not all in the file",
        "0000000000001000 | part of a bitmap",
      })
  void aTableThatCannotBeTrustedKeepsWritersOut(String entry, String problem) throws IOException {
    patch(StoredBitmap.all(image).get(0).tableOffset(), entry.trim());

    if (problem == null) {
      open().close();
    } else {
      assertThatThrownBy(this::open).hasMessageContaining(problem);
    }
  }

  @Test
  void bitmapsThatShareAClusterKeepWritersOut() throws IOException {
    List<StoredBitmap> all = StoredBitmap.all(image);
    long data = image.getLong(all.get(0).tableOffset());
    image.write(all.get(1).tableOffset(), ByteBuffer.allocate(8).putLong(0, data));

    assertThatThrownBy(this::open).hasMessageContaining("would overwrite the data of a bitmap");
  }

  /** In holes of the file they cost whoever made the image up nothing. */
  @Test
  void tablesThatAreTooLongTogetherKeepWritersOut() {
    int count = 9;
    for (int i = 0; i < count; i++) {
      ByteBuffer record = ByteBuffer.allocate(RECORD).putLong(0, 1L + i << 20).putInt(8, 1 << 17);
      record.put(16, (byte) 1).put(17, (byte) 9).putShort(18, (short) 1).put(24, (byte) ('a' + i));
      image.write(directory + (long) i * RECORD, record);
    }
    long at = extensionAt(image);
    image.write(at + 8, ByteBuffer.allocate(4).putInt(0, count));
    image.write(at + 16, ByteBuffer.allocate(8).putLong(0, (long) count * RECORD));
    image.setLength(16 << 20);

    assertThatThrownBy(this::open)
        .hasMessageContaining("their tables have 9437184 bytes, at most 8388608 are read");
  }

  @Test
  void readersLookAtNoDirectory() throws IOException {
    patch(directory + 16, "07");

    try (DriverInstance reader = BitmapImages.openReadOnly(image)) {
      assertThat(Images.read(reader, 0, 512)).isEqualTo(Images.bytes(10 * 512, 1).limit(512));
      assertThatThrownBy(() -> ((BitmapKeeper) reader).bitmapStore().bitmaps())
          .hasMessageContaining("type: 7 is not in 1..1");
    }
  }

  @Test
  void aBitmapInUseIsNeverTrustedAndCanOnlyBeRemoved() throws IOException {
    patch(directory + 12, "00000003");
    MemoryInstance host = MemoryInstance.file(image, 1);

    try (TestImage open = TestImage.open(host, null)) {
      BitmapStore store = BitmapImages.store(open);
      assertThat(store.bitmaps().get(0))
          .isEqualTo(new BitmapInfo("fine", 512, 0, true, false, true, true));
      requireInconsistent(() -> store.clearBitmap("fine"));
      requireInconsistent(() -> store.recordBitmap("fine", false));
      requireInconsistent(() -> store.mergeBitmaps("fine", List.of("coarse")));
      requireInconsistent(() -> store.mergeBitmaps("coarse", List.of("fine")));
      requireInconsistent(() -> store.nextDirty("fine", 0));
      assertThatThrownBy(() -> store.addBitmap("fine", 512, true)).hasMessageContaining("exists");
      open.io().write(100_000, Images.bytes(100, 1), WriteFlags.NONE);
    }
    assertThat(BitmapImages.flags(host.content())).containsEntry("fine", 3);
    try (TestImage open = TestImage.open(host, null)) {
      open.pipeline().truncate(2 * LENGTH, Preallocation.OFF);
      BitmapImages.store(open).removeBitmap("fine");
    }
    assertThat(BitmapImages.flags(host.content())).containsOnlyKeys("coarse", "disabled");
    assertThat(Qcow2Checker.check(host.content())).matches(Qcow2Checker.Findings::isClean);
  }

  private static void requireInconsistent(ThrowingCallable call) {
    assertThatThrownBy(call)
        .isInstanceOfSatisfying(
            BlockException.class, e -> assertThat(e.error()).isEqualTo(BlockError.INVALID))
        .hasMessageContaining("bitmap \"fine\" is inconsistent");
  }

  @Test
  void misusedNamesAndGranularitiesAreRefused() throws IOException {
    try (TestImage open = open()) {
      BitmapStore store = BitmapImages.store(open);
      assertThatThrownBy(() -> store.addBitmap("coarse", 512, true))
          .hasMessage("bitmap \"coarse\" exists");
      assertThatThrownBy(() -> store.addBitmap("", 512, true)).hasMessageContaining("1..1023");
      assertThatThrownBy(() -> store.addBitmap("x".repeat(1024), 512, true))
          .hasMessageContaining("1..1023");
      assertThatThrownBy(() -> store.addBitmap("x", 256, true)).hasMessageContaining("power of");
      assertThatThrownBy(() -> store.addBitmap("x", 513, true)).hasMessageContaining("power of");
      assertThatThrownBy(() -> store.addBitmap("x", 0, true)).hasMessageContaining("power of");
      assertThatThrownBy(() -> store.removeBitmap("x\n"))
          .hasMessage("no bitmap has the name \"x\\x0a\"");
    }
  }

  @Test
  void readersChangeNothing() throws IOException {
    try (DriverInstance reader = BitmapImages.openReadOnly(image)) {
      BitmapStore store = ((BitmapKeeper) reader).bitmapStore();
      assertThat(store.bitmaps()).hasSize(3);
      assertThat(store.nextDirty("fine", 0)).isNotNull();
      assertThatThrownBy(() -> store.removeBitmap("fine")).hasMessageContaining("read-only");
      assertThatThrownBy(() -> store.addBitmap("x", 512, true)).hasMessageContaining("read-only");
    }
  }

  @Test
  void version2KeepsNone() throws IOException {
    PagedBytes old = ImageShape.of(CLUSTER, LENGTH).withVersion2().create();
    try (TestImage open = TestImage.open(MemoryInstance.file(old, 1), null)) {
      assertThatThrownBy(() -> BitmapImages.store(open).addBitmap("x", 512, true))
          .hasMessage("cannot add bitmap \"x\": images of version 2 keep none");
    }
  }

  /** A record with extra data is longer; the ones behind it move. */
  private PagedBytes withExtraData(int flags) throws IOException {
    byte[] others = image.bytes(directory + RECORD, 200);
    ByteBuffer record = ByteBuffer.wrap(image.bytes(directory, RECORD));
    ByteBuffer longer = ByteBuffer.allocate(RECORD + 8 + 200);
    longer.put(record.slice(0, 24)).putInt(12, flags).putInt(20, 8).putLong(0x1122334455667788L);
    longer.put(record.slice(24, 8)).put(others).flip();
    PagedBytes changed = image.copy();
    changed.write(directory, longer);
    long at = extensionAt(changed);
    changed.write(at + 16, ByteBuffer.allocate(8).putLong(0, changed.getLong(at + 16) + 8));
    return changed;
  }

  private static long extensionAt(PagedBytes image) {
    long at = 112;
    while ((image.getLong(at) >>> 32) != 0x23852875L) {
      at += 8 + ((image.getLong(at) & 0xffff_ffffL) + 7 & ~7);
    }
    return at;
  }

  @Test
  void compatibleExtraDataIsKept() throws IOException {
    MemoryInstance host = MemoryInstance.file(withExtraData(6), 1);

    try (TestImage open = TestImage.open(host, null)) {
      open.io().write(512_000, Images.bytes(512, 1), WriteFlags.NONE);
    }

    assertThat(BitmapImages.flags(host.content())).containsEntry("fine", 6);
    assertThat(BitmapImages.storedIn(host.content(), "fine").get(1000)).isTrue();
    long kept = Qcow2Layout.parse(host.content()).bitmapsOffset();
    assertThat(host.content().getLong(kept + 24)).isEqualTo(0x1122334455667788L);
    assertThat(Qcow2Checker.check(host.content())).matches(Qcow2Checker.Findings::isClean);
  }

  @Test
  void strangeBitmapsStayAsTheyAre() throws IOException {
    MemoryInstance host = MemoryInstance.file(withExtraData(0), 1);
    PagedBytes before = host.content();

    try (TestImage open = TestImage.open(host, null)) {
      open.io().write(512_000, Images.bytes(512, 1), WriteFlags.NONE);
      assertThatThrownBy(() -> open.pipeline().truncate(2 * LENGTH, Preallocation.OFF))
          .hasMessageContaining("its bitmap \"fine\" has extra data that is not known");
      assertThatThrownBy(() -> BitmapImages.store(open).clearBitmap("fine"))
          .hasMessageContaining("bitmap \"fine\" has extra data that is not known");
    }

    assertThat(BitmapImages.flags(host.content())).containsEntry("fine", 0);
    assertThat(BitmapImages.storedIn(host.content(), "fine"))
        .isEqualTo(BitmapImages.storedIn(before, "fine"));
    assertThat(Qcow2Checker.check(host.content())).matches(Qcow2Checker.Findings::isClean);
  }

  @Test
  void aStrangeBitmapThatHasToRecordKeepsWritersOut() throws IOException {
    PagedBytes strange = withExtraData(2);

    assertThatThrownBy(() -> TestImage.open(MemoryInstance.file(strange, 1), null))
        .hasMessageContaining("its bitmap \"fine\" has to record all writes");
  }

  /** Another program, which knows no bitmaps, has written: they are worthless and are not there. */
  @Test
  void withoutItsBitTheExtensionMeansNothing() throws IOException {
    patch(88, "0000000000000000");
    MemoryInstance host = MemoryInstance.file(image, 1);

    try (TestImage open = TestImage.open(host, null)) {
      assertThat(BitmapImages.store(open).bitmaps()).isEmpty();
      open.io().write(0, Images.bytes(100, 1), WriteFlags.NONE);
      BitmapImages.store(open).addBitmap("fresh", 512, true);
    }

    assertThat(BitmapImages.flags(host.content())).containsOnlyKeys("fresh");
    assertThat(Qcow2Checker.check(host.content())).matches(Qcow2Checker.Findings::isConsistent);
  }
}
