// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.driver.CheckResult;
import io.blkmount.block.driver.RepairMode;
import io.blkmount.block.testing.Images;
import io.blkmount.block.testing.MemoryChild;
import io.blkmount.block.testing.MemoryInstance;
import io.blkmount.block.testing.PagedBytes;
import io.blkmount.block.testing.QemuImg;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Damaged records of the snapshot table: what can be used stays as it is, the rest goes. */
final class Qcow2RepairSnapshotTest {
  private static final List<String> NAMES = List.of("zero", "one", "two");

  private static PagedBytes made = new PagedBytes(0);

  @TempDir private Path folder;

  private PagedBytes image = new PagedBytes(0);

  /**
   * One kind of damage.
   *
   * @param what for the test's name
   * @param left which of the snapshots can be used
   */
  private record Damage(String what, List<Integer> left, Consumer<SnapshotDamage> change) {
    @Override
    public String toString() {
      return what;
    }
  }

  static Stream<Damage> damages() {
    return Stream.of(
        new Damage("extra too long", List.of(0, 1, 2), table -> table.setExtraLength(1, 1025)),
        new Damage(
            "extra much too long", List.of(0, 1, 2), table -> table.setExtraLength(1, 20_000)),
        new Damage(
            "extra of last too long", List.of(0, 1, 2), table -> table.setExtraLength(2, 1040)),
        new Damage("extra past the file", List.of(0), table -> table.putInt(1, 36, -1)),
        new Damage("no extra", List.of(0, 1, 2), table -> table.setExtraLength(1, 0)),
        new Damage("half of extra", List.of(0, 1, 2), table -> table.setExtraLength(2, 12)),
        new Damage("length too large", List.of(0, 1, 2), table -> table.putLong(1, 48, 1L << 63)),
        new Damage("L1 off boundary", List.of(0, 2), table -> table.putLong(1, 0, 0x50200)),
        new Damage("L1 past the end", List.of(0, 2), table -> table.putLong(1, 0, 1L << 40)),
        new Damage("L1 above all offsets", List.of(0, 2), table -> table.putLong(1, 0, 1L << 56)),
        new Damage("L1 on header", List.of(0, 2), table -> table.putLong(1, 0, 0)),
        new Damage("L1 too long", List.of(0, 2), table -> table.putInt(1, 8, 1 << 24)),
        new Damage("L1 of last too long", List.of(0, 1), table -> table.putInt(2, 8, 1 << 24)),
        new Damage("two of them", List.of(1), table -> table.putInt(2, 8, -1).putLong(0, 0, 3)),
        new Damage(
            "all of them",
            List.of(),
            table -> table.putInt(2, 8, -1).putLong(0, 0, 3).putLong(1, 0, 1L << 60)));
  }

  @BeforeAll
  static void createOnce(@TempDir Path once) {
    made = create(once, "cluster_size=64k");
  }

  @BeforeEach
  void copy() {
    image = made.copy();
  }

  private static PagedBytes create(Path folder, String options) {
    Path file = folder.resolve("image.qcow2");
    QemuImg.create(file, "1M", options);
    for (int i = 0; i < NAMES.size(); i++) {
      QemuImg.io(file, "write -P " + (i + 1) + " " + 100 * i + "k 128k");
      QemuImg.img("snapshot", "-c", NAMES.get(i), file);
    }
    QemuImg.io(file, "write -P 9 150k 100k");
    return Images.load(file);
  }

  private static List<String> names(PagedBytes image) throws IOException {
    CheckedImage now =
        CheckedImage.read("x", new MemoryChild(MemoryInstance.file(image.copy(), 1)));
    List<String> names = new ArrayList<>();
    int unused =
        new SnapshotTable("x", now.file(), now.header()).forEach(each -> names.add(each.name()));
    return names;
  }

  private void assertIsRepaired(PagedBytes damaged, List<Integer> left) throws IOException {
    CheckRun check = CheckRun.of(damaged);
    assertThat(check.result().corruptions() + check.result().checkErrors()).isPositive();

    RepairRun run = RepairRun.of(damaged, RepairMode.ALL);

    CheckResult result = run.result();
    assertThat(result.isClean()).as(run + "").isTrue();
    assertThat(result.corruptionsFixed()).as(run.texts() + "").isPositive();
    assertThat(run.texts()).anyMatch(text -> text.contains("snapshot"));
    assertThat(names(run.content())).isEqualTo(left.stream().map(NAMES::get).toList());
    for (int i : left) {
      assertThat(SnapshotImages.read(run.content(), NAMES.get(i)))
          .isEqualTo(SnapshotImages.read(image, NAMES.get(i)));
    }
    GuestView.of(image).assertIsKeptIn(GuestView.of(run.content()), "the disk");
    Path file = folder.resolve("repaired.qcow2");
    Images.store(run.content(), file);
    QemuImg.requireClean(file, "repaired");
    if (!left.isEmpty()) {
      assertThat(SnapshotImages.convert(file, NAMES.get(left.get(0))))
          .isEqualTo(SnapshotImages.read(image, NAMES.get(left.get(0))));
    }
  }

  @ParameterizedTest
  @MethodSource("damages")
  void whatCanBeUsedStays(Damage damage) throws IOException {
    PagedBytes damaged = image.copy();
    SnapshotDamage table = new SnapshotDamage(damaged);
    damage.change.accept(table);
    table.store();

    assertIsRepaired(damaged, damage.left);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "compat=0.10,cluster_size=512",
        "cluster_size=512,refcount_bits=4",
        "cluster_size=4k,refcount_bits=64",
        "cluster_size=16k,extended_l2=on",
        "cluster_size=2M,refcount_bits=32",
      })
  void ofImagesOfEveryKind(String options) throws IOException {
    image = create(folder, options);
    PagedBytes damaged = image.copy();
    new SnapshotDamage(damaged).putInt(0, 8, -1).store();

    assertIsRepaired(damaged, List.of(1, 2));
  }

  @ParameterizedTest
  @ValueSource(ints = {24, 40, 1000, 1024})
  void extraDataThatIsNotKnownStays(int length) throws IOException {
    SnapshotDamage table = new SnapshotDamage(image);
    table.setExtraLength(1, length).putLong(0, 0, 1L << 60).store();

    RepairRun run = RepairRun.of(image, RepairMode.ALL);

    assertThat(run.result().isClean()).isTrue();
    assertThat(new SnapshotDamage(run.content()).extra(0)).isEqualTo(table.extra(1));
  }

  @Test
  void extraDataIsCutWhereQemuImgCutsIt() throws IOException {
    SnapshotDamage table = new SnapshotDamage(image);
    table.setExtraLength(0, 3000).setExtraLength(2, 8).store();
    Path theirs = folder.resolve("theirs.qcow2");
    Images.store(image, theirs);
    QemuImg.Check qemu = QemuImg.repair(theirs);

    RepairRun run = RepairRun.of(image, RepairMode.ALL);

    assertThat(qemu.output()).contains("\"corruptions-fixed\": 2");
    assertThat(run.result().corruptionsFixed()).isEqualTo(2);
    SnapshotDamage ours = new SnapshotDamage(run.content());
    SnapshotDamage expected = new SnapshotDamage(Images.load(theirs));
    for (int i = 0; i < 3; i++) {
      assertThat(ours.extra(i)).as("record " + i).isEqualTo(expected.extra(i));
    }
  }

  /** The bytes behind the records are zeros, so that these lead nowhere. */
  @ParameterizedTest
  @ValueSource(ints = {4, 65537, -1})
  void thereAreNoMoreThanThereAre(int count) throws IOException {
    PagedBytes damaged = image.copy();
    new SnapshotDamage(damaged).setCount(count);

    assertIsRepaired(damaged, List.of(0, 1, 2));
  }

  @Test
  void anImageOnlyLosesAsManyAsItSaysItHasTooMany() throws IOException {
    new SnapshotDamage(image).setCount(65536 + 4464);

    assertThat(CheckRun.of(image).texts()).contains("4464 snapshots more than the 65536 allowed");
  }

  @Test
  void aTableThatIsNotThereHasNothing() throws IOException {
    PagedBytes damaged = image.copy();
    damaged.write(
        Qcow2Header.SNAPSHOT_TABLE_OFFSET_AT, ByteBuffer.allocate(8).putLong(0, 1L << 40));

    assertIsRepaired(damaged, List.of());
  }

  /** The table is made the last of the file, where nothing counts it. */
  @Test
  void theRecordThatTheFileEndsInGoes() throws IOException {
    PagedBytes damaged = image.copy();
    byte[] table = damaged.bytes(damaged.getLong(Qcow2Header.SNAPSHOT_TABLE_OFFSET_AT), 210);
    long end = (damaged.length() + 65535) / 65536 * 65536;
    damaged.write(end, ByteBuffer.wrap(table));
    damaged.write(Qcow2Header.SNAPSHOT_TABLE_OFFSET_AT, ByteBuffer.allocate(8).putLong(0, end));

    assertThat(CheckRun.of(damaged).texts())
        .contains("snapshot 2: its last 2 bytes are past the end of the file");
    assertIsRepaired(damaged, List.of(0, 1));
  }

  @Test
  void refcountsThatAreWrongAsWellAreMadeAnew() throws IOException {
    PagedBytes damaged = image.copy();
    new SnapshotDamage(damaged).putLong(1, 0, 0x50200).store();
    long table = damaged.getLong(Qcow2Header.REFCOUNT_TABLE_OFFSET_AT);
    damaged.write(table, ByteBuffer.allocate(8).putLong(0, damaged.getLong(table) + 512));

    assertIsRepaired(damaged, List.of(0, 2));
  }

  @Test
  void leaksAreNoReasonToTouchThem() throws IOException {
    new SnapshotDamage(image).putLong(1, 0, 0x50200).store();

    RepairRun run = RepairRun.of(image, RepairMode.LEAKS);

    int length = (int) image.length();
    assertThat(run.result().corruptions()).isEqualTo(1);
    assertThat(run.content().bytes(0, length)).isEqualTo(image.bytes(0, length));
  }

  /** A disk of no bytes has no L1 table, and QEMU gives its snapshot the offset 0. */
  @Test
  void theSnapshotOfAnEmptyDiskIsNoDamage() throws IOException {
    Path file = folder.resolve("empty.qcow2");
    QemuImg.create(file, "0", "");
    QemuImg.img("snapshot", "-c", "nothing", file);
    PagedBytes empty = Images.load(file);

    RepairRun run = RepairRun.of(empty, RepairMode.ALL);

    int length = (int) empty.length();
    assertThat(run.findings()).isEmpty();
    assertThat(run.content().bytes(0, length)).isEqualTo(empty.bytes(0, length));
  }
}
