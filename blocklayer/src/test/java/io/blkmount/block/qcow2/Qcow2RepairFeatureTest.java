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
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Repairs images with each feature of the format: disk, snapshots, bitmaps and key stay. */
final class Qcow2RepairFeatureTest {
  private static final String LENGTH = "1536k";
  private static final int IN_USE_AT = 15;

  @TempDir private Path folder;

  private PagedBytes image = new PagedBytes(0);

  /** Null if the disk lies in another file. */
  private @Nullable GuestView before;

  private Path file(String name) {
    return folder.resolve(name);
  }

  /** Makes the image that is repaired, and notes its content. */
  private void create(String features, String options) throws IOException {
    Path file = file("image.qcow2");
    if (features.contains("encrypted")) {
      QemuImg.createEncrypted(file, LENGTH, options);
      QemuImg.ioEncrypted(file, "write -P 1 0 300k", "write -P 2 700k 40k");
    } else {
      createPlain(file, features, options);
    }
    QemuImg.convert(file, file("disk.raw"));
    image = Images.load(file);
    before = features.contains("data") ? null : GuestView.of(image);
  }

  private void createPlain(Path file, String features, String options) {
    Path raw = file("source.raw");
    Images.store(source(), raw);
    if (features.contains("compressed")) {
      QemuImg.img("convert", "-c", "-f", "raw", "-O", "qcow2", "-o", options, raw, file);
    } else if (features.contains("backing")) {
      QemuImg.img(
          "create", "-q", "-f", "qcow2", "-b", raw, "-F", "raw", "-o", options, file, LENGTH);
    } else {
      String data = features.contains("data") ? ",data_file=" + file("data") : "";
      QemuImg.create(file, LENGTH, options + data);
    }
    if (features.contains("bitmaps")) {
      QemuImg.img("bitmap", "--add", "-g", "512", file, "fine");
      QemuImg.img("bitmap", "--add", "-g", "4k", file, "coarse");
    }
    QemuImg.io(file, "write -P 1 0 200k", "write -z 60k 33k", "write -P 2 701k 41k");
    if (features.contains("snapshot")) {
      QemuImg.img("snapshot", "-c", "one", file);
      QemuImg.io(file, "write -P 3 100k 300k", "write -z -u 0 64k");
    }
  }

  /** Returns a disk of which some clusters compress well. */
  private static PagedBytes source() {
    PagedBytes bytes = new PagedBytes(1536 << 10);
    for (int at = 0; at < 1 << 20; at += 4096) {
      bytes.write(at, Images.bytes(at % 16384 == 0 ? 4096 : 300, at));
    }
    return bytes;
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
    create(features, options);
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
      assertIsRepaired(damaged, said, RepairMode.ALL);
      if ((damage.ordinal() + options.length()) % 3 == 0) { // each image and each damage twice
        assertQemuAgrees(said);
      }
    }
  }

  private void assertIsRepaired(PagedBytes damaged, String said, RepairMode mode)
      throws IOException {
    assertThat(CheckRun.of(damaged).result().isClean()).as(said).isFalse();

    RepairRun run = RepairRun.of(damaged, mode);

    assertThat(run.result().isClean()).as(said + ": " + run).isTrue();
    assertIsAsBefore(run.content(), said);
  }

  private void assertQemuAgrees(String said) {
    QemuImg.requireClean(file("repaired.qcow2"), said);
    QemuImg.requireSame(file("repaired.qcow2"), file("disk.raw"), said);
  }

  private void assertIsAsBefore(PagedBytes now, String said) throws IOException {
    Images.store(now, file("repaired.qcow2"));
    if (before == null) {
      assertQemuAgrees(said);
    } else {
      assertThat(Qcow2Checker.check(now)).as(said).matches(Qcow2Checker.Findings::isClean);
      before.assertIsKeptIn(GuestView.of(now), said);
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
    create(features, options);
    PagedBytes damaged = image.copy();
    RefcountDamage.ALL_MAX.apply(damaged);

    assertIsRepaired(damaged, features, RepairMode.LEAKS);
    assertQemuAgrees(features);
  }

  /** With a refcount that is too high beside it, which belongs to what cannot be read any more. */
  @ParameterizedTest(name = "byte {0} of the directory")
  @CsvSource({"0,01", "2,01", "8,ff", "12,80", "16,02", "17,3f", "18,ff", "18,0000", "20,00001000"})
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
