// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.testing.DiskModel;
import io.blkmount.block.testing.Images;
import io.blkmount.block.testing.MemoryInstance;
import io.blkmount.block.testing.PagedBytes;
import io.blkmount.block.testing.Qcow2Checker;
import io.blkmount.block.testing.QemuImg;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Images with lazy refcounts, some of which QEMU had no time to close. */
final class DirtyImageTest {
  @TempDir private Path folder;

  private Path file;

  /** Returns an image that was in use when the program died, refcounts and all. */
  private PagedBytes dirty(String options) throws IOException {
    file = folder.resolve("image.qcow2");
    QemuImg.create(file, "4M", options + ",lazy_refcounts=on");
    QemuImg.io(file, "write -P 1 0 300k");
    if (!options.endsWith("refcount_bits=1")) {
      QemuImg.img("snapshot", "-c", "one", file);
    }
    QemuImg.Result died =
        QemuImg.run(
            List.of(
                "qemu-io",
                "-f",
                "qcow2",
                "-c",
                "write -P 2 200k 900k",
                "-c",
                "flush",
                "-c",
                "write -z -u 64k 64k",
                "-c",
                "flush",
                "-c",
                "abort",
                file + ""));
    assertThat(died.exitCode()).as(died.output()).isNotZero();
    PagedBytes image = Images.load(file);
    assertThat(isDirty(image)).isTrue();
    return image;
  }

  private static boolean isDirty(PagedBytes image) {
    return (image.getLong(Qcow2Header.INCOMPATIBLE_FEATURES_AT) & FeatureBits.DIRTY) != 0;
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "cluster_size=512",
        "cluster_size=512,refcount_bits=1",
        "cluster_size=4k,refcount_bits=64",
        "cluster_size=64k",
        "cluster_size=64k,refcount_bits=2"
      })
  void isRepairedWhenItIsOpenedForWriting(String options) throws IOException {
    PagedBytes image = dirty(options);
    if (!options.startsWith("cluster_size=512")) { // else its cache is too small to put much off
      assertThat(QemuImg.check(file).corruptions()).isPositive();
    }
    GuestView before = GuestView.of(image);
    MemoryInstance host = MemoryInstance.file(image, 1);

    try (TestImage opened = TestImage.open(host, null)) {
      assertThat(isDirty(host.content())).isFalse();
      Images.store(host.content(), file);
      QemuImg.requireClean(file, options);
      before.assertIsKeptIn(GuestView.of(host.content()), options);
      opened.io().write(100_000, ByteBuffer.wrap(DiskModel.pattern(500_000, 3)), WriteFlags.NONE);
    }

    Images.store(host.content(), file);
    QemuImg.requireClean(file, options);
    Path theirs = folder.resolve("theirs.raw");
    QemuImg.toRaw(file, theirs);
    assertThat(Images.load(theirs).bytes(100_000, 500_000))
        .isEqualTo(DiskModel.pattern(500_000, 3));
  }

  @Test
  void isReadWithoutARepair() throws IOException {
    PagedBytes image = dirty("cluster_size=4k");
    Path raw = folder.resolve("disk.raw");
    QemuImg.toRaw(file, raw);

    GuestView view = GuestView.of(image);

    List<ByteBuffer> pieces = view.pieces();
    PagedBytes theirs = Images.load(raw);
    for (int i = 0; i < pieces.size(); i++) {
      assertThat(pieces.get(i)).isEqualTo(ByteBuffer.wrap(theirs.bytes(i * 512L, 512)));
    }
  }

  @Test
  void isNotTouchedIfMoreIsWrongThanRefcounts() throws IOException {
    PagedBytes image = dirty("cluster_size=64k");
    long l1 = image.getLong(Qcow2Header.L1_TABLE_OFFSET_AT);
    image.write(l1, ByteBuffer.allocate(8).putLong(0, image.getLong(l1) | 512));
    MemoryInstance host = MemoryInstance.file(image.copy(), 1);

    assertThatThrownBy(() -> TestImage.open(host, null))
        .hasMessageStartingWith(
            "cannot open \"test.qcow2\" for writing: it was not closed cleanly, and more is damaged"
                + " than its refcounts: ");

    assertThat(host.content().bytes(0, 1 << 20)).isEqualTo(image.bytes(0, 1 << 20));
  }

  /** Refcounts are always on the disk before what needs them: nothing is ever put off. */
  @Test
  void isNeverMadeByOurWrites() throws IOException {
    file = folder.resolve("image.qcow2");
    QemuImg.create(file, "4M", "lazy_refcounts=on,cluster_size=4k");
    MemoryInstance host = MemoryInstance.file(Images.load(file), 1);

    try (TestImage opened = TestImage.open(host, null)) {
      for (int i = 0; i < 50; i++) {
        ByteBuffer bytes = ByteBuffer.wrap(DiskModel.pattern(10_000, i));
        opened.io().write(i * 70_000L, bytes, WriteFlags.NONE);
        if (i % 10 == 0) {
          opened.io().flush();
        }
        assertThat(isDirty(host.content())).isFalse();
        assertThat(Qcow2Checker.check(host.content()).isConsistent()).isTrue();
      }
    }

    PagedBytes closed = host.content();
    assertThat(closed.getLong(Qcow2Header.COMPATIBLE_FEATURES_AT))
        .isEqualTo(FeatureBits.LAZY_REFCOUNTS);
    Images.store(closed, file);
    QemuImg.requireClean(file, "lazy refcounts");
  }
}
