// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.driver.CheckResult;
import io.blkmount.block.driver.RepairMode;
import io.blkmount.block.testing.Images;
import io.blkmount.block.testing.PagedBytes;
import io.blkmount.block.testing.Qcow2Checker;
import io.blkmount.block.testing.Qcow2Layout;
import io.blkmount.block.testing.QemuImg;
import io.blkmount.block.testing.StoredBitmap;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.HexFormat;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Repairs images with each feature of the format: disk, snapshots, bitmaps and key stay. */
final class Qcow2RepairFeatureTest {
  private static final int IN_USE_AT = 15;

  @TempDir private Path folder;

  private PagedBytes image = new PagedBytes(0);

  private Path file(String name) {
    return folder.resolve(name);
  }

  /** Makes the image that is repaired, and notes its content. */
  private FeatureImage create(String features, String options) {
    FeatureImage created = FeatureImage.create(folder, features, options);
    QemuImg.convert(file(FeatureImage.NAME), file("disk.raw"));
    image = created.content();
    return created;
  }

  @ParameterizedTest(name = "{0} {1}")
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          plain                | compat=0.10,cluster_size=512
          plain                | cluster_size=512,refcount_bits=1
          snapshot             | cluster_size=4k,refcount_bits=2
          snapshot             | cluster_size=512,refcount_bits=4
          snapshot             | cluster_size=64k,refcount_bits=8
          snapshot             | cluster_size=2M,refcount_bits=32
          snapshot             | cluster_size=512,refcount_bits=64
          backing              | cluster_size=4k
          lazy                 | cluster_size=4k,lazy_refcounts=on
          bitmaps              | cluster_size=512
          bitmaps snapshot     | cluster_size=64k
          compressed           | cluster_size=4k,refcount_bits=64
          compressed snapshot  | compression_type=zstd,cluster_size=64k
          extended snapshot    | cluster_size=16k,extended_l2=on
          compressed extended  | cluster_size=64k,extended_l2=on
          data                 | cluster_size=64k
          data raw             | cluster_size=4k,data_file_raw=on
          encrypted            | cluster_size=64k,encrypt.format=luks,encrypt.iter-time=10
          encrypted            | cluster_size=512,encrypt.format=luks,encrypt.iter-time=10
          encrypted            | cluster_size=4k,encrypt.format=aes
          """)
  void whatFollowsFromTheTablesIsMadeAnew(String features, String options) throws IOException {
    FeatureImage created = create(features, options);
    GuestView before = created.view();
    for (RefcountDamage damage : RefcountDamage.values()) {
      if (damage == RefcountDamage.ALL_MAX && options.endsWith("refcount_bits=1")) {
        continue; // where everything is in use, that is right
      }
      PagedBytes damaged = image.copy();
      damage.apply(damaged);
      if (features.contains("lazy")) {
        put(damaged, Qcow2Header.INCOMPATIBLE_FEATURES_AT, FeatureBits.DIRTY);
      }
      String said = damage + " of " + features + " " + options;
      assertIsRepaired(created.with(damaged), before, said, RepairMode.ALL);
      if ((damage.ordinal() + options.length()) % 3 == 0) { // each image and each damage twice
        assertQemuAgrees(said);
      }
    }
  }

  private void assertIsRepaired(
      FeatureImage damaged, GuestView before, String said, RepairMode mode) throws IOException {
    assertThat(CheckRun.of(damaged.content()).result().isClean()).as(said).isFalse();

    RepairRun run = RepairRun.of(damaged.content(), mode);

    assertThat(run.result().isClean()).as(said + ": " + run).isTrue();
    FeatureImage repaired = damaged.with(run.content());
    before.assertIsKeptIn(repaired.view(), said);
    assertIsAsBefore(repaired, said);
  }

  private void assertQemuAgrees(String said) {
    QemuImg.requireClean(file("repaired.qcow2"), said);
    QemuImg.requireSame(file("repaired.qcow2"), file("disk.raw"), said);
  }

  private void assertIsAsBefore(FeatureImage repaired, String said) throws IOException {
    PagedBytes now = repaired.content();
    Images.store(now, file("repaired.qcow2"));
    if (repaired.data() == null) {
      assertThat(Qcow2Checker.check(now)).as(said).matches(Qcow2Checker.Findings::isClean);
    } else {
      assertQemuAgrees(said);
    }
    assertThat(BitmapImages.stored(now)).as(said).isEqualTo(BitmapImages.stored(image));
    int snapshots = Qcow2Layout.parse(image).snapshotCount();
    assertThat(Qcow2Layout.parse(now).snapshotCount()).as(said).isEqualTo(snapshots);
    if (snapshots > 0) {
      assertThat(SnapshotImages.read(now, "one"))
          .as(said)
          .isEqualTo(SnapshotImages.read(image, "one"));
    }
  }

  private static void put(PagedBytes target, long at, long value) {
    target.write(at, ByteBuffer.allocate(Long.BYTES).putLong(0, value));
  }

  @ParameterizedTest(name = "{0} {1}")
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          compressed snapshot  | cluster_size=4k,refcount_bits=64
          bitmaps              | cluster_size=4k
          extended             | cluster_size=16k,extended_l2=on
          data                 | cluster_size=4k
          encrypted            | cluster_size=64k,encrypt.format=luks,encrypt.iter-time=10
          """)
  void leaksAreGivenBack(String features, String options) throws IOException {
    FeatureImage created = create(features, options);
    PagedBytes damaged = image.copy();
    RefcountDamage.ALL_MAX.apply(damaged);

    assertIsRepaired(created.with(damaged), created.view(), features, RepairMode.LEAKS);
    assertQemuAgrees(features);
  }

  /** With a refcount that is too high beside it, which belongs to what cannot be read any more. */
  @ParameterizedTest(name = "byte {0} of the directory")
  @CsvSource({
    "0,01",
    "2,01",
    "8,ff",
    "8,00000002",
    "12,80",
    "16,02",
    "17,3f",
    "18,ff",
    "18,0000",
    "20,00001000"
  })
  void aDirectoryThatCannotBeReadKeepsItsClusters(int at, String hex) throws IOException {
    create("bitmaps", "cluster_size=4k");
    long directory = Qcow2Layout.parse(image).bitmapsOffset();
    PagedBytes damaged = image.copy();
    damaged.write(directory + at, ByteBuffer.wrap(HexFormat.of().parseHex(hex)));

    RepairRun run = RepairRun.of(damaged, RepairMode.ALL);

    CheckResult result = run.result();
    assertThat(result.corruptions()).as(run + "").isPositive();
    assertThat(run.texts()).anyMatch(text -> text.contains("bitmap"));
    assertThat(result.leaksFixed()).isZero();
    GuestView.of(image).assertIsKeptIn(GuestView.of(run.content()), "the disk");
    int length = (int) damaged.length();
    assertThat(run.content().bytes(0, length)).isEqualTo(damaged.bytes(0, length));
  }

  @ParameterizedTest(name = "entry {0} of a table")
  @ValueSource(longs = {2, 0x100000000000000L, 0x5001, 0x5200, 0x100000000L})
  void aTableThatCannotBeReadKeepsItsClusters(long entry) throws IOException {
    create("bitmaps", "cluster_size=4k");
    PagedBytes damaged = image.copy();
    put(damaged, StoredBitmap.all(image).get(0).tableOffset(), entry);

    RepairRun run = RepairRun.of(damaged, RepairMode.ALL);

    assertThat(run.result().corruptions()).as(run + "").isPositive();
    assertThat(run.result().leaksFixed()).isZero();
    GuestView.of(image).assertIsKeptIn(GuestView.of(run.content()), "the disk");
  }

  @Test
  void bitmapsThatShareAClusterAreCountedTwice() throws IOException {
    create("bitmaps", "cluster_size=4k");
    PagedBytes damaged = image.copy();
    long first = damaged.getLong(StoredBitmap.all(image).get(0).tableOffset());
    put(damaged, StoredBitmap.all(image).get(1).tableOffset(), first);

    RepairRun run = RepairRun.of(damaged, RepairMode.ALL);

    assertThat(run.result().isClean()).as(run + "").isTrue();
    assertThat(run.result().corruptionsFixed()).isEqualTo(1);
    assertThat(run.result().leaksFixed()).isEqualTo(1);
    assertThat(BitmapImages.stored(run.content())).isEqualTo(BitmapImages.stored(damaged));
    Images.store(run.content(), file("repaired.qcow2"));
    QemuImg.requireClean(file("repaired.qcow2"), "shared");
  }

  @Test
  void aBitmapInUseStaysSo() throws IOException {
    create("bitmaps", "cluster_size=4k");
    PagedBytes damaged = image.copy();
    damaged.write(
        Qcow2Layout.parse(image).bitmapsOffset() + IN_USE_AT, ByteBuffer.wrap(new byte[] {3}));
    PagedBytes inUse = damaged.copy();
    RefcountDamage.ALL_ZERO.apply(damaged);

    RepairRun run = RepairRun.of(damaged, RepairMode.ALL);

    assertThat(run.result().isClean()).as(run + "").isTrue();
    assertThat(BitmapImages.flags(run.content())).isEqualTo(BitmapImages.flags(inUse));
    assertThat(BitmapImages.stored(run.content())).isEqualTo(BitmapImages.stored(inUse));
  }

  /** Which of the two is right nobody knows; nothing that can be read changes. */
  @ParameterizedTest
  @CsvSource({"0,0000000100000001", "0,ffffffffffffffff", "320,0000000000000001"})
  void subclustersThatContradictThemselvesStay(int at, String hex) throws IOException {
    create("extended", "cluster_size=16k,extended_l2=on");
    long l1 = image.getLong(Qcow2Header.L1_TABLE_OFFSET_AT);
    long entry = L1Entry.l2Offset(image.getLong(l1)) + 16 * 10 + at;
    PagedBytes damaged = image.copy();
    put(damaged, entry + Long.BYTES, Long.parseUnsignedLong(hex, 16));
    GuestView damagedView = GuestView.of(damaged);

    RepairRun run = RepairRun.of(damaged, RepairMode.ALL);

    damagedView.assertIsKeptIn(GuestView.of(run.content()), hex);
    assertThat(run.content().getLong(entry + Long.BYTES))
        .isEqualTo(damaged.getLong(entry + Long.BYTES));
    assertThat(run.result().isClean()).isEqualTo(CheckRun.of(damaged).result().isClean());
  }
}
