// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.driver.BitmapInfo;
import io.blkmount.block.driver.BitmapKeeper;
import io.blkmount.block.driver.BitmapStore;
import io.blkmount.block.driver.DriverInstance;
import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.testing.Images;
import io.blkmount.block.testing.MemoryInstance;
import io.blkmount.block.testing.PagedBytes;
import io.blkmount.block.testing.QemuImg;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.BitSet;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Bitmaps go back and forth between QEMU and us, and neither misses what the other wrote. */
final class BitmapInteropTest {
  private static final int LENGTH = (6 << 20) + 512;

  @TempDir private Path folder;
  private Path file;

  private void create(String options) {
    file = folder.resolve("image.qcow2");
    QemuImg.create(file, LENGTH + "", options);
  }

  /** What a test does with an open image. */
  private interface Work {
    void on(TestImage image) throws IOException;
  }

  private void work(Work work) throws IOException {
    MemoryInstance host = MemoryInstance.file(Images.load(file), 1);
    try (TestImage image = TestImage.open(host, null)) {
      work.on(image);
    }
    Images.store(host.content(), file);
    QemuImg.requireClean(file, "worked on");
    assertThat(CheckRun.of(host.content()).result().isClean()).isTrue();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "cluster_size=512",
        "cluster_size=4k,refcount_bits=1",
        "cluster_size=64k",
        "cluster_size=2M"
      })
  void bothMarkWhatEitherWrites(String options) throws IOException {
    SplittableRandom random = new SplittableRandom(options.hashCode());
    create(options);
    QemuImg.img("bitmap", "--add", "-g", "512", file, "fine");
    QemuImg.img("bitmap", "--add", file, "default");
    BitSet fine = new BitSet();
    for (int round = 0; round < 3; round++) {
      for (int i = 0; i < 3; i++) {
        int offset = random.nextInt(LENGTH / 512 - 700) * 512;
        int length = (1 + random.nextInt(600)) * 512;
        QemuImg.io(file, (i == 0 ? "discard " : "write ") + offset + " " + length);
        BitmapImages.mark(fine, offset, length, 9);
      }
      work(
          image -> {
            for (int i = 0; i < 10; i++) {
              int offset = random.nextInt(LENGTH - 70_000);
              int length = 1 + random.nextInt(70_000);
              image.io().write(offset, Images.bytes(length, i), WriteFlags.NONE);
              BitmapImages.mark(fine, offset, length, 9);
            }
          });
      assertThat(BitmapImages.qemuDirty(file, "fine")).as(options).isEqualTo(fine);
      assertThat(BitmapImages.stored(Images.load(file)).get("fine")).isEqualTo(fine);
    }
    int granularity = options.contains("=512") || options.contains("=4k") ? 12 : 16;
    BitSet coarse = new BitSet();
    fine.stream().forEach(bit -> coarse.set(bit * 512 >> granularity));
    assertThat(BitmapImages.qemuDirty(file, "default")).isEqualTo(coarse);
  }

  @Test
  void qemuListsWhatWeMake() throws IOException {
    create("");
    work(
        image -> {
          BitmapStore store = BitmapImages.store(image);
          store.addBitmap("on", store.defaultGranularity(), true);
          store.addBitmap("off, 2 GiB", 1L << 31, false);
          store.addBitmap("\u00fc\u4e2d", 512, true);
        });

    String info = QemuImg.img("info", "--output=json", file).replaceAll("\\s+", " ");

    assertThat(info)
        .contains("\"flags\": [ \"auto\" ], \"name\": \"on\", \"granularity\": 65536")
        .contains("\"flags\": [ ], \"name\": \"off, 2 GiB\", \"granularity\": 2147483648")
        .contains("\"name\": \"\\u00FC\\u4E2D\", \"granularity\": 512");
  }

  /** QEMU takes an entry of all ones for whole words, and shows them when the disk grows. */
  @Test
  void aFullBitmapGrowsWithoutDirtyBits() throws IOException {
    file = folder.resolve("image.qcow2");
    QemuImg.create(file, "650k", "");
    work(
        image -> {
          BitmapImages.store(image).addBitmap("full", 65536, true);
          image.io().writeZeroes(0, 650 << 10, WriteFlags.NONE);
        });

    QemuImg.img("resize", "-q", file, "8M");

    BitSet written = new BitSet();
    written.set(0, 11);
    assertThat(BitmapImages.qemuDirty(file, "full")).isEqualTo(written);
  }

  @Test
  void operationsOfQemuAreSeen() throws IOException {
    create("");
    QemuImg.img("bitmap", "--add", "-g", "64k", file, "a");
    QemuImg.img("bitmap", "--add", "--disable", "-g", "512", file, "b");
    QemuImg.io(file, "write 64k 64k", "write 1M 512");
    QemuImg.img("bitmap", "--disable", file, "a");
    QemuImg.img("bitmap", "--enable", file, "b");
    QemuImg.io(file, "write 3M 512");
    QemuImg.img("bitmap", "--merge", "b", file, "a");

    assertThat(infos())
        .containsExactly(
            new BitmapInfo("a", 65536, 3 * 65536, false, false, true, false),
            new BitmapInfo("b", 512, 512, true, false, true, false));
    QemuImg.img("bitmap", "--clear", file, "a");
    QemuImg.img("bitmap", "--remove", file, "b");
    assertThat(infos()).containsExactly(new BitmapInfo("a", 65536, 0, false, false, true, false));
  }

  private List<BitmapInfo> infos() throws IOException {
    try (DriverInstance image = BitmapImages.openReadOnly(Images.load(file))) {
      return ((BitmapKeeper) image).bitmapStore().bitmaps();
    }
  }

  @Test
  void qemuSeesOurOperations() throws IOException {
    create("cluster_size=4k");
    work(
        image -> {
          BitmapStore store = BitmapImages.store(image);
          store.addBitmap("a", 65536, true);
          store.addBitmap("b", 512, true);
          store.addBitmap("gone", 512, true);
          image.io().write(100_000, Images.bytes(1000, 1), WriteFlags.NONE);
        });
    work(
        image -> {
          BitmapStore store = BitmapImages.store(image);
          store.recordBitmap("a", false);
          image.io().write(4_000_000, Images.bytes(1000, 1), WriteFlags.NONE);
          store.clearBitmap("b");
          image.io().write(2_000_000, Images.bytes(512, 1), WriteFlags.NONE);
          store.mergeBitmaps("a", List.of("b"));
          store.removeBitmap("gone");
        });

    BitSet a = new BitSet();
    BitmapImages.mark(a, 100_000, 1000, 16);
    BitmapImages.mark(a, 2_000_000, 512, 16);
    BitSet b = new BitSet();
    BitmapImages.mark(b, 2_000_000, 512, 9);
    assertThat(BitmapImages.qemuDirty(file, "a")).isEqualTo(a);
    assertThat(BitmapImages.qemuDirty(file, "b")).isEqualTo(b);
    assertThat(QemuImg.img("info", "--output=json", file)).doesNotContain("gone");
    QemuImg.img("bitmap", "--remove", file, "a");
    QemuImg.img("bitmap", "--remove", file, "b");
    QemuImg.requireClean(file, "empty again");
  }

  @Test
  void theLastBitmapTakesTheExtensionAlong() throws IOException {
    create("");
    PagedBytes before = Images.load(file);
    work(image -> BitmapImages.store(image).addBitmap("a", 65536, true));
    work(image -> BitmapImages.store(image).removeBitmap("a"));

    assertThat(Images.load(file).bytes(0, 65536)).isEqualTo(before.bytes(0, 65536));
    assertThat(QemuImg.img("info", file)).doesNotContain("bitmap");
  }

  /** QEMU puts the name right behind the extensions. */
  @Test
  void aBackingFileKeepsItsName() throws IOException {
    Path base = folder.resolve("base.qcow2");
    QemuImg.create(base, "1M", "");
    QemuImg.io(base, "write -P 5 0 1M");
    file = folder.resolve("image.qcow2");
    QemuImg.img("create", "-q", "-f", "qcow2", "-b", "base.qcow2", "-F", "qcow2", file);

    work(image -> BitmapImages.store(image).addBitmap("a", 65536, true));

    QemuImg.io(file, "read -P 5 0 1M", "write 64k 64k");
    BitSet expected = new BitSet();
    expected.set(1);
    assertThat(BitmapImages.qemuDirty(file, "a")).isEqualTo(expected);
    work(image -> BitmapImages.store(image).removeBitmap("a"));
    QemuImg.io(file, "read -P 5 0 64k");
  }

  @Test
  void aRepairKnowsWhatBitmapsAreStoredIn() throws IOException {
    create("lazy_refcounts=on,cluster_size=4k");
    QemuImg.img("bitmap", "--add", "-g", "512", file, "a");
    QemuImg.io(file, "write 64k 64k");
    PagedBytes dirty = Images.load(file);
    dirty.write(79, ByteBuffer.wrap(new byte[] {1}));
    Images.store(dirty, file);

    work(image -> image.io().write(0, Images.bytes(512, 1), WriteFlags.NONE));

    BitSet expected = new BitSet();
    expected.set(0);
    expected.set(128, 256);
    assertThat(BitmapImages.qemuDirty(file, "a")).isEqualTo(expected);
  }

  @Test
  void nothingIsTouchedWithoutAWrite() throws IOException {
    create("");
    QemuImg.img("bitmap", "--add", file, "a");
    QemuImg.io(file, "write 64k 64k");
    PagedBytes before = Images.load(file);

    work(image -> assertThat(BitmapImages.store(image).bitmaps()).hasSize(1));

    PagedBytes after = Images.load(file);
    assertThat(after.bytes(0, (int) after.length()))
        .isEqualTo(before.bytes(0, (int) before.length()));
  }
}
