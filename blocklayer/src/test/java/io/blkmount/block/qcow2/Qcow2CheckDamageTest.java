// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.driver.CheckResult;
import io.blkmount.block.qcow2.HeaderExtensions.BitmapsPointer;
import io.blkmount.block.testing.Images;
import io.blkmount.block.testing.MemoryChild;
import io.blkmount.block.testing.MemoryInstance;
import io.blkmount.block.testing.PagedBytes;
import io.blkmount.block.testing.Qcow2Layout;
import io.blkmount.block.testing.QemuImg;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Damage that was made by hand, one kind at a time. The image has clusters of 64 KiB and the first
 * three guest clusters allocated:
 *
 * <pre>
 * 0 header | 10000 refcount table | 20000 refcount block | 30000 L1 | 40000 L2 | 50000 data | 80000
 * </pre>
 */
final class Qcow2CheckDamageTest {
  @TempDir private Path folder;

  private Path file;

  @BeforeEach
  void create() {
    file = folder.resolve("image.qcow2");
    QemuImg.create(file, "16M", "");
    QemuImg.io(file, "write -P 1 0 192k");
  }

  private PagedBytes damaged(String pokes) {
    PagedBytes image = Images.load(file);
    for (String poke : pokes.trim().split(" ")) {
      int equals = poke.indexOf('=');
      byte[] content = HexFormat.of().parseHex(poke.substring(equals + 1));
      image.write(Long.parseLong(poke.substring(0, equals), 16), ByteBuffer.wrap(content));
    }
    Images.store(image, file);
    return image;
  }

  @ParameterizedTest(name = "{0}")
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          zero flag on data is fine         | 40000=8000000000050001         | 0 | 0
          refcounts past the end are fine   | 20020=00010001                 | 0 | 0
          L2 entry lost                     | 40008=0000000000000000         | 0 | 1
          L1 entry lost                     | 30000=0000000000000000         | 0 | 4
          refcount too high                 | 2000a=0002                     | 1 | 1
          refcount too low                  | 2000a=0000                     | 2 | 0
          header counted as free            | 20000=0000                     | 1 | 0
          two L2 entries to one cluster     | 40008=8000000000050000         | 1 | 1
          L2 entry past the end             | 40000=8000000100000000         | 2 | 1
          L2 entry off its boundary         | 40000=8000000000050200         | 2 | 0
          zeroes off their boundary         | 40000=8000000000050201         | 2 | 0
          reserved high bit in L2 entry     | 40000=9000000000050000         | 1 | 0
          reserved low bit in L2 entry      | 40000=8000000000050002         | 1 | 0
          L2 entry without COPIED           | 40000=0000000000050000         | 1 | 0
          L1 entry without COPIED           | 30000=0000000000040000         | 1 | 0
          reserved bit in L1 entry          | 30000=8000000000040001         | 1 | 0
          L1 entry past the end             | 30000=8000000100000000         | 2 | 4
          data on the refcount table        | 40000=8000000000010000         | 1 | 1
          data on its own L2 table          | 40000=8000000000040000         | 1 | 1
          data on the refcount block        | 40000=8000000000020000         | 2 | 1
          compressed cluster past the end   | 40000=4000000100000000         | 1 | 1
          compressed cluster with COPIED    | 40000=c000000000050000         | 1 | 0
          compressed cluster in place       | 40000=4000000000050000         | 0 | 0
          refcount block lost               | 10000=0000000000000000         | 11 | 0
          refcount block past the end       | 10000=0000000100000000         | 12 | 0
          """)
  void countsAsQemuImg(String name, String pokes, long corruptions, long leaks) throws IOException {
    CheckRun run = CheckRun.of(damaged(pokes));

    assertThat(run.counts()).as(run.texts() + "").isEqualTo(CheckRun.qemuCounts(file));
    CheckResult result = run.result();
    assertThat(result.corruptions()).as(run.texts() + "").isEqualTo(corruptions);
    assertThat(result.leaks()).as(run.texts() + "").isEqualTo(leaks);
  }

  /** What qemu-img passes over, or counts in a way that says nothing. */
  @ParameterizedTest(name = "{0}")
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          shared metadata, refcount agrees  | 40000=0000000000010000 20002=0002 | 1 | 1 | 0
          shared L2 table, refcount agrees  | 40000=0000000000040000 30000=0000000000040000 20008=0002 | 1 | 1 | 0
          refcount block off its boundary   | 10000=0000000000020200            | 1 | 0 | 8
          reserved bit of a refcount block  | 10000=0000000000020001            | 1 | 0 | 0
          L2 table off its boundary         | 30000=8000000000040200            | 1 | 2 | 0
          L1 entry with nothing but a flag  | 30000=8000000000000000            | 1 | 4 | 0
          zero flag in version 2            | 4=00000002 40000=8000000000050001 | 1 | 0 | 0
          """)
  void findsMoreThanQemuImg(String name, String pokes, long corruptions, long leaks, long errors)
      throws IOException {
    CheckRun run = CheckRun.of(damaged(pokes));

    CheckResult result = run.result();
    assertThat(List.of(result.corruptions(), result.leaks(), result.checkErrors()))
        .as(run.texts() + "")
        .containsExactly(corruptions, leaks, errors);
  }

  @ParameterizedTest(name = "{0}")
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          L1 table off its boundary         |  0=0000000000052000
          too many L1 entries               |  8=7fffffff
          L1 table past the end             |  0=0000100000000000
          """)
  void damagedSnapshotsCountAsInQemuImg(String name, String poke) throws IOException {
    QemuImg.img("snapshot", "-c", "one", file);
    PagedBytes image = Images.load(file);
    long table = image.getLong(Qcow2Header.SNAPSHOT_TABLE_OFFSET_AT);
    int equals = poke.indexOf('=');
    byte[] content = HexFormat.of().parseHex(poke.substring(equals + 1).trim());
    image.write(
        table + Integer.parseInt(poke.substring(0, equals).trim()), ByteBuffer.wrap(content));
    Images.store(image, file);

    CheckRun run = CheckRun.of(image);

    assertThat(run.result().corruptions()).isPositive();
    assertThat(run.counts()).as(run.texts() + "").isEqualTo(CheckRun.qemuCounts(file));
  }

  @Test
  void saysWhereAndWhat() throws IOException {
    CheckRun run =
        CheckRun.of(damaged("40000=8000000100000000 40008=9000000000060000 20010=00010000"));

    assertThat(run.findings())
        .extracting(f -> f.kind() + ": " + f.text())
        .containsExactly(
            "CORRUPTION: L2 entry 0x8000000100000000 at host offset 0x40000: the data is past the"
                + " end of the file",
            "CORRUPTION: L2 entry 0x8000000100000000 at host offset 0x40000: COPIED, but the"
                + " refcount is not 1",
            "CORRUPTION: L2 entry 0x9000000000060000 at host offset 0x40008: reserved bits are set",
            "LEAK: cluster 5 at host offset 0x50000: refcount 1, references 0");
  }

  @Test
  void truncatedFile() throws IOException {
    PagedBytes image = Images.load(file);
    image.setLength(0x70000 - 512);
    Images.store(image, file);

    CheckRun run = CheckRun.of(image);

    assertThat(run.counts()).as(run.texts() + "").isEqualTo(CheckRun.qemuCounts(file));
    assertThat(run.result().corruptions()).isPositive();
  }

  @Test
  void damagedBitmapDirectory() throws IOException {
    QemuImg.img("bitmap", "--add", file, "b0");
    PagedBytes image = Images.load(file);
    MemoryChild child = new MemoryChild(MemoryInstance.file(image.copy(), 1));
    BitmapsPointer bitmaps = CheckedImage.read("x", child).extensions().bitmaps();
    long directory = Objects.requireNonNull(bitmaps).directoryOffset();
    assertThat(CheckRun.of(image).result().isClean()).isTrue();

    image.write(directory + 16, ByteBuffer.wrap(new byte[] {9, 60}));

    assertThat(CheckRun.of(image).texts()).containsExactly("bitmap 0: type 9");
  }

  /** QEMU does not open such an image, and nobody writes to it here. */
  @Test
  void bitmapTableThatDoesNotFitTheDisk() throws IOException {
    QemuImg.img("bitmap", "--add", file, "b0");
    PagedBytes image = Images.load(file);
    long directory = Qcow2Layout.parse(image).bitmapsOffset();
    image.write(directory + 8, ByteBuffer.allocate(4).putInt(0, 2));

    assertThat(CheckRun.of(image).texts()).containsExactly("bitmap 0: a table of 2 entries, not 1");
    image.write(directory + 12, ByteBuffer.allocate(4).putInt(0, 1)); // in use: nobody loads it
    assertThat(CheckRun.of(image).result().isClean()).isTrue();
  }
}
