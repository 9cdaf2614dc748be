// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.driver.CheckResult;
import io.blkmount.block.driver.RepairMode;
import io.blkmount.block.testing.Images;
import io.blkmount.block.testing.PagedBytes;
import io.blkmount.block.testing.Qcow2Layout;
import io.blkmount.block.testing.QemuImg;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.HexFormat;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Damage that was made by hand, one kind at a time, beside what {@code qemu-img check -r} makes of
 * it. The image has clusters of 64 KiB and the first three guest clusters allocated:
 *
 * <pre>
 * 0 header | 10000 refcount table | 20000 refcount block | 30000 L1 | 40000 L2 | 50000 data | 80000
 * </pre>
 */
final class Qcow2RepairDamageTest {
  private static final int DIRTY_AND_CORRUPT = 3;

  @TempDir private Path folder;

  private PagedBytes image = new PagedBytes(0);

  @BeforeEach
  void create() {
    Path file = folder.resolve("image.qcow2");
    QemuImg.create(file, "16M", "");
    QemuImg.io(file, "write -P 1 0 192k");
    image = Images.load(file);
  }

  private void damage(String pokes) {
    for (String poke : pokes.trim().split(" ")) {
      int equals = poke.indexOf('=');
      byte[] content = HexFormat.of().parseHex(poke.substring(equals + 1));
      image.write(Long.parseLong(poke.substring(0, equals), 16), ByteBuffer.wrap(content));
    }
  }

  private void mark() {
    image.write(
        Qcow2Header.INCOMPATIBLE_FEATURES_AT,
        ByteBuffer.allocate(8).putLong(0, image.getLong(72) | DIRTY_AND_CORRUPT));
  }

  private static byte[] bytes(PagedBytes content) {
    return content.bytes(0, (int) content.length());
  }

  private Path stored(String name, PagedBytes content) {
    Path file = folder.resolve(name);
    Images.store(content, file);
    return file;
  }

  @ParameterizedTest(name = "{0}")
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          L2 entry lost                     | 40008=0000000000000000         | 0 | 1
          L1 entry lost                     | 30000=0000000000000000         | 0 | 4
          refcount too high                 | 2000a=0002                     | 0 | 1
          refcount too low                  | 2000a=0000                     | 1 | 0
          header counted as free            | 20000=0000                     | 1 | 0
          two L2 entries to one cluster     | 40008=8000000000050000         | 3 | 1
          zeroes off their boundary         | 40000=8000000000050201         | 4 | 0
          L2 entry without COPIED           | 40000=0000000000050000         | 1 | 0
          L1 entry without COPIED           | 30000=0000000000040000         | 1 | 0
          data on the refcount table        | 40000=8000000000010000         | 1 | 1
          data on the refcount block        | 40000=8000000000020000         | 2 | 1
          refcount block lost               | 10000=0000000000000000         | 7 | 0
          refcount block past the end       | 10000=0000000100000000         | 8 | 0
          refcount table as L2 table        | 30000=8000000000010000         | 4 | 4
          refcount table of zeros, shared   | 40000=0000000000010000 20002=0002 | 2 | 1
          """)
  void isRepairedAsByQemuImg(String name, String pokes, long corruptions, long leaks)
      throws IOException {
    damage(pokes);
    GuestView before = GuestView.of(image);
    Path theirs = stored("theirs.qcow2", image);
    assertThat(QemuImg.repair(theirs).exitCode()).isZero();
    mark();

    RepairRun run = RepairRun.of(image, RepairMode.ALL);

    CheckResult result = run.result();
    assertThat(result.isClean()).as(run + "").isTrue();
    assertThat(result.corruptionsFixed()).as(run.texts() + "").isEqualTo(corruptions);
    assertThat(result.leaksFixed()).as(run.texts() + "").isEqualTo(leaks);
    assertThat(run.content().getLong(Qcow2Header.INCOMPATIBLE_FEATURES_AT)).isZero();
    before.assertIsKeptIn(GuestView.of(run.content()), name);
    Path ours = stored("ours.qcow2", run.content());
    QemuImg.requireClean(ours, name);
    QemuImg.img("compare", "-f", "qcow2", "-F", "qcow2", ours, theirs);
  }

  /** What qemu-img gives up on, or makes nothing of. */
  @ParameterizedTest(name = "{0}")
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          compressed cluster with COPIED    | 40000=c000000000050000
          refcount block off its boundary   | 10000=0000000000020200
          reserved bit of a refcount block  | 10000=0000000000020001
          L1 entry with nothing but a flag  | 30000=8000000000000000
          """)
  void isRepairedWhereQemuImgFails(String name, String pokes) throws IOException {
    damage(pokes);
    GuestView before = GuestView.of(image);
    mark();

    RepairRun run = RepairRun.of(image, RepairMode.ALL);

    assertThat(run.result().isClean()).as(run + "").isTrue();
    assertThat(run.result().corruptionsFixed()).isPositive();
    before.assertIsKeptIn(GuestView.of(run.content()), name);
    QemuImg.requireClean(stored("ours.qcow2", run.content()), name);
  }

  /** What was lost cannot be found again; what may belong to it is kept. */
  @ParameterizedTest(name = "{0}")
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          L2 entry past the end             | 40000=8000000100000000         | 1 | 1
          L2 entry off its boundary         | 40000=8000000000050200         | 1 | 0
          reserved high bit in L2 entry     | 40000=9000000000050000         | 1 | 0
          reserved low bit in L2 entry      | 40000=8000000000050002         | 1 | 0
          reserved bit in L1 entry          | 30000=8000000000040001         | 1 | 0
          L1 entry past the end             | 30000=8000000100000000         | 1 | 4
          L2 table off its boundary         | 30000=8000000000040200         | 1 | 2
          compressed cluster past the end   | 40000=4000000100000000         | 1 | 1
          data on its own L2 table          | 40000=8000000000040000         | 2 | 0
          shared L2 table, refcount agrees  | 40000=0000000000040000 30000=0000000000040000 20008=0002 | 1 | 0
          zero flag in version 2            | 4=00000002 40000=8000000000050001 | 1 | 0
          """)
  void staysMarkedAndLosesNothing(String name, String pokes, long corruptions, long leaks)
      throws IOException {
    mark();
    damage(pokes);
    GuestView before = GuestView.of(image);

    RepairRun run = RepairRun.of(image, RepairMode.ALL);

    assertThat(run.result().corruptions()).as(run + "").isEqualTo(corruptions);
    assertThat(run.result().leaks()).as(run + "").isEqualTo(leaks);
    assertThat(run.content().getLong(Qcow2Header.INCOMPATIBLE_FEATURES_AT))
        .isEqualTo(DIRTY_AND_CORRUPT);
    before.assertIsKeptIn(GuestView.of(run.content()), name);
  }

  @Test
  void refcountsAreRebuiltWithoutFreeingWhatADamagedEntryMayHaveLedTo() throws IOException {
    damage("40000=8000000100000000 10000=0000000000020200");

    RepairRun run = RepairRun.of(image, RepairMode.ALL);

    assertThat(run.result().corruptions()).as(run + "").isEqualTo(1);
    assertThat(run.result().checkErrors()).isZero();
    assertThat(run.result().leaks()).as("old structures, and the lost cluster").isEqualTo(3);
  }

  @Test
  void leaksAloneAreGivenBackWithTheirFlags() throws IOException {
    damage("2000a=0002 40000=0000000000050000");

    RepairRun run = RepairRun.of(image, RepairMode.LEAKS);

    assertThat(run.result().isClean()).as(run + "").isTrue();
    assertThat(run.result().leaksFixed()).isEqualTo(1);
    QemuImg.requireClean(stored("ours.qcow2", run.content()), "leaks");
  }

  @ParameterizedTest
  @CsvSource({"20008=0000", "40010=8000000100000000", "30000=8000000000040001"})
  void leaksAreKeptWhileAnythingElseIsWrong(String damage) throws IOException {
    damage("2000a=0002 " + damage);

    RepairRun run = RepairRun.of(image, RepairMode.LEAKS);

    assertThat(run.result().leaks()).as(run + "").isPositive();
    assertThat(run.result().corruptions()).isPositive();
    assertThat(bytes(run.content())).isEqualTo(bytes(image));
  }

  @Test
  void unknownAutoclearBitsGoWithTheFirstChange() throws IOException {
    damage("58=0000000000000100 2000a=0002");

    RepairRun run = RepairRun.of(image, RepairMode.ALL);

    assertThat(run.content().getLong(Qcow2Header.AUTOCLEAR_FEATURES_AT)).isZero();
  }

  @Test
  void anImageInOrderKeepsUnknownBits() throws IOException {
    damage("58=0000000000000100");

    RepairRun run = RepairRun.of(image, RepairMode.ALL);

    assertThat(run.content().getLong(Qcow2Header.AUTOCLEAR_FEATURES_AT)).isEqualTo(0x100);
  }

  /** What the header leads to would be refcounts, if anybody takes it for a directory again. */
  @Test
  void newRefcountsAreNotWhereALostDirectoryWas() throws IOException {
    image = ImageShape.of(4096, 1 << 20).withBitmaps().create();
    long directory = Qcow2Layout.parse(image).bitmapsOffset();
    long table = image.getLong(Qcow2Header.REFCOUNT_TABLE_OFFSET_AT);
    image.setLength(directory - 4096);
    image.write(table, ByteBuffer.allocate(8).putLong(0, image.getLong(table) | 1));

    RepairRun run = RepairRun.of(image, RepairMode.ALL);

    assertThat(run.texts()).anyMatch(text -> text.startsWith("bitmap directory at host offset"));
    assertThat(run.content().length()).isGreaterThan(directory + 4096);
    assertThat(run.content().bytes(directory, 4096)).containsOnly(0);
  }
}
