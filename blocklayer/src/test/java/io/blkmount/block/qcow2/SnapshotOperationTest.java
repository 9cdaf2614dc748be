// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.blkmount.block.BlockLayer;
import io.blkmount.block.backend.BlockBackend;
import io.blkmount.block.driver.InternalSnapshot;
import io.blkmount.block.driver.NewSnapshot;
import io.blkmount.block.driver.Snapshottable;
import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import io.blkmount.block.open.OpenOptions;
import io.blkmount.block.testing.DiskModel;
import io.blkmount.block.testing.Images;
import io.blkmount.block.testing.MemoryChild;
import io.blkmount.block.testing.MemoryInstance;
import io.blkmount.block.testing.PagedBytes;
import io.blkmount.block.testing.Qcow2Checker;
import io.blkmount.block.testing.QemuImg;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Internal snapshots taken, applied and deleted, by us and by qemu-img in turn. */
final class SnapshotOperationTest {
  private static final int LENGTH = (3 << 20) + 512;
  private static final Instant TAKEN_AT = Instant.ofEpochSecond(1_700_000_000L, 5);

  @TempDir private Path folder;
  private Path file;

  @BeforeEach
  void nameFile() {
    file = folder.resolve("image.qcow2");
  }

  /** What a test does with the snapshots of an open image. */
  private interface Work {
    void run(Snapshottable snapshots, TestImage image) throws IOException;
  }

  /** Lets us work on the file; afterwards it is clean for us and for qemu-img. */
  private void work(Work work) throws IOException {
    MemoryInstance host = MemoryInstance.file(Images.load(file), 1);
    try (TestImage image = TestImage.open(host, null)) {
      work.run((Snapshottable) image.driver(), image);
    }
    assertThat(Qcow2Checker.check(host.content())).matches(Qcow2Checker.Findings::isClean);
    Images.store(host.content(), file);
    QemuImg.requireClean(file, "after our work");
  }

  private static InternalSnapshot take(Snapshottable snapshots, String name) throws IOException {
    return snapshots.createSnapshot(NewSnapshot.ofDisk(name, TAKEN_AT));
  }

  private byte[] disk() throws IOException {
    Path raw = folder.resolve("disk.raw");
    QemuImg.toRaw(file, raw);
    return Files.readAllBytes(raw);
  }

  private static BlockException failure(ThrowingCallable call) {
    return catchThrowableOfType(BlockException.class, call);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "cluster_size=512",
        "cluster_size=4k,refcount_bits=4",
        "cluster_size=64k",
        "cluster_size=2M,refcount_bits=64",
        "compat=0.10,cluster_size=4k"
      })
  void qemuImgAndWeTakeTurns(String options) throws IOException {
    QemuImg.create(file, LENGTH + "", options);
    QemuImg.io(file, "write -P 1 0 1M", "write -P 2 2M 300k");
    byte[] first = disk();
    work((snapshots, image) -> take(snapshots, "ours"));
    QemuImg.io(file, "write -P 3 512k 1M");
    byte[] second = disk();
    QemuImg.img("snapshot", "-c", "theirs", file);
    QemuImg.io(file, "write -P 4 0 3M");

    assertThat(SnapshotImages.convert(file, "ours")).isEqualTo(first);
    assertThat(SnapshotImages.read(Images.load(file), "theirs")).isEqualTo(second);
    QemuImg.img("snapshot", "-a", "ours", file);
    assertThat(disk()).isEqualTo(first);
    QemuImg.requireClean(file, "they applied ours");
    work((snapshots, image) -> snapshots.applySnapshot("theirs"));
    assertThat(disk()).isEqualTo(second);
    work((snapshots, image) -> snapshots.deleteSnapshot("theirs"));
    assertThat(disk()).isEqualTo(second);
    QemuImg.io(file, "write -P 5 1M 1M", "discard 0 64k");
    assertThat(SnapshotImages.convert(file, "ours")).isEqualTo(first);
    QemuImg.img("snapshot", "-d", "ours", file);
    QemuImg.requireClean(file, "they deleted ours");
  }

  @ParameterizedTest
  @ValueSource(strings = {"cluster_size=512", "cluster_size=64k", "compression_type=zstd"})
  void compressedClustersAreSharedAndFreed(String options) throws IOException {
    Path raw = folder.resolve("source.raw");
    PagedBytes source = new PagedBytes(LENGTH);
    for (int at = 0; at + 8192 < LENGTH; at += 8192) {
      source.write(at, ByteBuffer.wrap(DiskModel.pattern(700, at)));
    }
    Images.store(source, raw);
    QemuImg.img("convert", "-c", "-f", "raw", "-O", "qcow2", "-o", options, raw, file);
    byte[] before = disk();
    work(
        (snapshots, image) -> {
          take(snapshots, "a");
          image.io().write(100_000, Images.bytes(300_000, 1), WriteFlags.NONE);
          take(snapshots, "b");
          image.io().write(0, Images.bytes(LENGTH, 2), WriteFlags.NONE);
        });
    assertThat(SnapshotImages.convert(file, "a")).isEqualTo(before);
    work((snapshots, image) -> snapshots.applySnapshot("a"));
    assertThat(disk()).isEqualTo(before);
    work((snapshots, image) -> snapshots.deleteSnapshot("a"));
    work((snapshots, image) -> snapshots.deleteSnapshot("b"));
    assertThat(disk()).isEqualTo(before);
  }

  @Test
  void idsDatesAndNamesAreAsQemuImgHasThem() throws IOException {
    QemuImg.create(file, "1M", "");
    QemuImg.img("snapshot", "-c", "same", file);
    work(
        (snapshots, image) -> {
          assertThat(take(snapshots, "same").id()).isEqualTo("2");
          assertThat(take(snapshots, "1").id()).isEqualTo("3");
          snapshots.deleteSnapshot("1"); // the id comes before the name
          snapshots.deleteSnapshot("same");
          assertThat(snapshots.createSnapshot(new NewSnapshot("", TAKEN_AT, 61_000_000_000L, 7, 0)))
              .isEqualTo(snapshots.snapshots().get(1))
              .isEqualTo(new InternalSnapshot("4", "", TAKEN_AT, 61_000_000_000L, 7, 0, 1 << 20));
          assertThat(snapshots.snapshots())
              .extracting(InternalSnapshot::name)
              .containsExactly("1", "");
        });

    String[] list = QemuImg.img("snapshot", "-l", file).split("\n");
    assertThat(list[2]).matches("3 +1 +0 B 2023-11-1[45] .* 00:00:00.000 +");
    assertThat(list[3]).matches("4 +0 B 2023-11-1[45] .* 00:01:01.000 +7");
  }

  @Test
  void whatIsNotKnownOfASnapshotIsKept() throws IOException {
    QemuImg.create(file, "1M", "");
    QemuImg.img("snapshot", "-c", "theirs", file);
    PagedBytes image = Images.load(file);
    long at = header(image).snapshotTableOffset();
    ByteBuffer longer = ByteBuffer.allocate(4096);
    ByteBuffer extra = ByteBuffer.allocate(40).putLong(0).putLong(1 << 20).putLong(-1);
    extra.putLong(0x1122334455667788L).putLong(99).flip();
    SnapshotRecord old = snapshots(image).get(0);
    new SnapshotRecord(old.l1TableOffset(), old.l1EntryCount(), "7x", "theirs", 1, 2, 3, 0, extra)
        .encode(longer);
    image.write(at, longer.flip());
    Images.store(image, file);

    work((snapshots, disk) -> assertThat(take(snapshots, "ours").id()).isEqualTo("8"));

    SnapshotRecord kept = snapshots(Images.load(file)).get(0);
    assertThat(kept.extra()).isEqualTo(extra);
    assertThat(kept.id()).isEqualTo("7x");
  }

  private static Qcow2Header header(PagedBytes image) throws IOException {
    return Qcow2Header.parse("x", ByteBuffer.wrap(image.bytes(0, 512)), image.length());
  }

  private static List<SnapshotRecord> snapshots(PagedBytes image) throws IOException {
    MemoryInstance host = MemoryInstance.file(image, 1);
    return new SnapshotTable("x", new MemoryChild(host), header(image)).read();
  }

  @Test
  void snapshotOfAnotherLengthChangesTheDisks() throws IOException {
    QemuImg.create(file, "1M", "cluster_size=4k");
    QemuImg.io(file, "write -P 1 0 1M");
    QemuImg.img("snapshot", "-c", "short", file);
    QemuImg.img("resize", "-q", "-f", "qcow2", file, "64M");
    QemuImg.io(file, "write -P 2 60M 1M");
    work((snapshots, image) -> take(snapshots, "long"));

    work(
        (snapshots, image) -> {
          snapshots.applySnapshot("short");
          assertThat(image.io().length()).isEqualTo(1 << 20);
        });
    assertThat(disk()).hasSize(1 << 20).containsOnly(1);
    work((snapshots, image) -> snapshots.applySnapshot("long"));
    byte[] disk = disk();
    assertThat(disk).hasSize(64 << 20);
    assertThat(Arrays.copyOfRange(disk, 60 << 20, 61 << 20)).containsOnly(2);
  }

  @Test
  void emptyDiskHasSnapshotsToo() throws IOException {
    QemuImg.create(file, "0", "");
    work((snapshots, image) -> take(snapshots, "a"));
    work((snapshots, image) -> snapshots.applySnapshot("a"));
    work((snapshots, image) -> snapshots.deleteSnapshot("a"));
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2})
  void clusterSharedTooOftenIsAnErrorThatChangesNothing(int refcountBits) throws IOException {
    QemuImg.create(file, LENGTH + "", "cluster_size=4k,refcount_bits=" + refcountBits);
    QemuImg.io(file, "write -P 1 0 1M");
    byte[] before = disk();
    int fitting = (1 << refcountBits) - 2;

    work(
        (snapshots, image) -> {
          for (int i = 0; i < fitting; i++) {
            take(snapshots, "s" + i);
          }
          BlockException overflow = failure(() -> take(snapshots, "more"));
          assertThat(overflow.error()).isEqualTo(BlockError.INVALID);
          assertThat(overflow).hasMessageContaining(": " + (fitting + 1) + " is the largest");
          assertThat(snapshots.snapshots()).hasSize(fitting);
        });
    assertThat(disk()).isEqualTo(before);
  }

  @Test
  void badRequestsAreRefused() throws IOException {
    QemuImg.create(file, "1M", "");
    work(
        (snapshots, image) -> {
          assertThat(failure(() -> snapshots.applySnapshot("a\n")).error())
              .isEqualTo(BlockError.NOT_FOUND);
          assertThat(failure(() -> snapshots.deleteSnapshot("a\n")))
              .hasMessage(
                  "image \"test.qcow2\": no internal snapshot has the id or name \"a\\x0a\"");
          assertThat(failure(() -> take(snapshots, "n".repeat(256))))
              .hasMessage("the snapshot's name has 256 bytes, at most 255 are allowed");
          assertThat(failure(() -> take(snapshots, "a\0b")).error()).isEqualTo(BlockError.INVALID);
        });
  }

  @Test
  void atMost65536SnapshotsFitIntoAnImage() throws IOException {
    SnapshotRecord one =
        SnapshotRecord.of(new RootTable(0, 0), "1", NewSnapshot.ofDisk("", TAKEN_AT), 0);

    assertThat(SnapshotTable.encode(Collections.nCopies(65536, one)).remaining())
        .isEqualTo(65536 * 72);
    assertThat(failure(() -> SnapshotTable.encode(Collections.nCopies(65537, one))).error())
        .isEqualTo(BlockError.TOO_BIG);
  }

  @Test
  void imageWithADataFileHasNoSnapshots() throws IOException {
    Path data = folder.resolve("data.raw");
    QemuImg.create(file, "1M", "data_file=" + data);
    try (BlockBackend disk = BlockLayer.open(OpenOptions.of(file.toString()))) {
      BlockException refused = failure(() -> take(disk.internalSnapshots(), "a"));
      assertThat(refused.error()).isEqualTo(BlockError.NOT_SUPPORTED);
    }
  }

  @Test
  void fullDeviceKeepsAllAsItWas() throws IOException {
    PagedBytes device = ImageShape.of(4096, 1 << 20).create();
    device.setLength(50 * 4096);
    MemoryInstance memory = MemoryInstance.file(device, 1);
    MemoryInstance host = new MemoryInstance(device, memory.limits(), MemoryInstance.DEVICE);
    try (TestImage image = TestImage.open(host, null)) {
      Snapshottable snapshots = (Snapshottable) image.driver();
      image.io().write(0, Images.bytes(20 * 4096, 1), WriteFlags.NONE);
      take(snapshots, "a");
      image.io().write(0, Images.bytes(15 * 4096, 2), WriteFlags.NONE);
      ByteBuffer before = Images.read(image.io(), 0, 20 * 4096);

      BlockException full = null;
      int taken = 1;
      for (; full == null; taken += full == null ? 1 : 0) {
        full = failure(() -> take(snapshots, "more"));
      }

      assertThat(full.error()).isEqualTo(BlockError.NO_SPACE);
      assertThat(snapshots.snapshots()).hasSize(taken);
      assertThat(Images.read(image.io(), 0, 20 * 4096)).isEqualTo(before);
    }
    assertThat(Qcow2Checker.check(host.content())).matches(Qcow2Checker.Findings::isClean);
  }
}
