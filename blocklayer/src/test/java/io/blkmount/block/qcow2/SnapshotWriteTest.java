// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.blkmount.block.driver.Preallocation;
import io.blkmount.block.testing.DiskModel;
import io.blkmount.block.testing.Images;
import io.blkmount.block.testing.MemoryInstance;
import io.blkmount.block.testing.PagedBytes;
import io.blkmount.block.testing.QemuImg;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Images with internal snapshots are written, and no snapshot changes by it. */
final class SnapshotWriteTest {
  private static final int LENGTH = (3 << 20) + 512;

  /** The snapshots as they were taken, by name. */
  private final Map<String, byte[]> snapshots = new LinkedHashMap<>();

  @TempDir private Path folder;
  private Path file;

  @ParameterizedTest
  @ValueSource(
      strings = {
        "cluster_size=512",
        "cluster_size=4k,refcount_bits=2",
        "cluster_size=64k",
        "cluster_size=64k,refcount_bits=64",
        "cluster_size=2M",
        "compat=0.10,cluster_size=4k",
      })
  void writesLeaveSnapshotsAsTheyWere(String options) throws IOException {
    file = folder.resolve("image.qcow2");
    QemuImg.create(file, LENGTH + "", options);
    QemuImg.io(file, "write -P 1 0 1M", "write -z 256k 128k", "write -P 2 2M 300k");
    takeSnapshot("a");
    QemuImg.io(file, "write -P 3 512k 1M", "discard 2M 64k", "write -z -u 100k 64k");
    takeSnapshot("b");

    workAndCompare(options);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "cluster_size=512",
        "cluster_size=64k",
        "cluster_size=4k,refcount_bits=8,compression_type=zstd"
      })
  void compressedClustersAreShared(String options) throws IOException {
    Path raw = folder.resolve("source.raw");
    Images.store(compressible(), raw);
    file = folder.resolve("image.qcow2");
    QemuImg.img("convert", "-c", "-f", "raw", "-O", "qcow2", "-o", options, raw, file);
    takeSnapshot("a");
    QemuImg.io(file, "write -P 3 512k 200k");
    takeSnapshot("b");

    workAndCompare(options);
  }

  @Test
  void snapshotsOfAResizedDiskKeepTheirLength() throws IOException {
    file = folder.resolve("image.qcow2");
    QemuImg.create(file, LENGTH + "", "cluster_size=4k");
    QemuImg.io(file, "write -P 1 0 3M");
    takeSnapshot("a");
    QemuImg.img("resize", "-q", "-f", "qcow2", file, 2 * LENGTH);
    QemuImg.io(file, "write -P 2 2M 3M");
    takeSnapshot("b");
    QemuImg.img("resize", "-q", "-f", "qcow2", "--shrink", file, LENGTH);

    workAndCompare("resized");

    assertThat(SnapshotImages.read(Images.load(file), "a")).hasSize(LENGTH);
    assertThat(SnapshotImages.read(Images.load(file), "b")).hasSize(2 * LENGTH);
  }

  @Test
  void writesAfterAllSnapshotsAreGoneCopyNothing() throws IOException {
    file = folder.resolve("image.qcow2");
    QemuImg.create(file, LENGTH + "", "cluster_size=4k");
    QemuImg.io(file, "write -P 1 0 3M");
    takeSnapshot("a");
    QemuImg.img("snapshot", "-d", "a", file);
    snapshots.clear();
    long before = file.toFile().length();

    workAndCompare("gone");

    assertThat(file.toFile().length()).isLessThan(before + (2 << 20));
  }

  @Test
  void aSnapshotGoneBackToIsWrittenOn() throws IOException {
    file = folder.resolve("image.qcow2");
    QemuImg.create(file, LENGTH + "", "cluster_size=4k");
    QemuImg.io(file, "write -P 1 0 3M");
    takeSnapshot("a");
    QemuImg.io(file, "write -P 2 1M 1M");
    takeSnapshot("b");
    QemuImg.img("snapshot", "-a", "a", file);

    workAndCompare("gone back");
  }

  /** What a snapshot shares of zeros in reserve is no reserve. */
  @Test
  void reservingZerosOfASnapshotLosesNoCluster() throws IOException {
    file = folder.resolve("image.qcow2");
    QemuImg.create(file, LENGTH + "", "cluster_size=4k");
    QemuImg.io(file, "write -P 1 0 3M", "write -z 1M 1M");
    takeSnapshot("a");
    MemoryInstance host = MemoryInstance.file(Images.load(file), 1);

    try (TestImage image = TestImage.open(host, null)) {
      image.pipeline().reserve(0, LENGTH);
    }

    Images.store(host.content(), file);
    QemuImg.requireClean(file, "reserved");
    requireSnapshots("reserved");
  }

  @Test
  void version2WithSnapshotsKeepsItsLength() throws IOException {
    file = folder.resolve("image.qcow2");
    QemuImg.create(file, LENGTH + "", "compat=0.10");
    takeSnapshot("a");

    try (TestImage image = TestImage.open(MemoryInstance.file(Images.load(file), 1), null)) {
      assertThatThrownBy(() -> image.pipeline().truncate(2L * LENGTH, Preallocation.OFF))
          .hasMessageContaining("an image of version 2 with snapshots cannot be resized");
      assertThat(image.io().length()).isEqualTo(LENGTH);
    }
  }

  private void takeSnapshot(String name) throws IOException {
    QemuImg.img("snapshot", "-c", name, file);
    snapshots.put(name, SnapshotImages.convert(file, name));
    requireSnapshots("taken");
  }

  /** Two rounds: we write, qemu-img checks and compares, qemu-io writes. */
  private void workAndCompare(String options) throws IOException {
    SplittableRandom random = new SplittableRandom(options.hashCode());
    for (int round = 0; round < 2; round++) {
      ModelRun run =
          new ModelRun(
              options + " round " + round,
              Images.load(file),
              null,
              round == 0 ? TestImage.Options.DEFAULT : TestImage.Options.SMALL_CACHES,
              random);
      if (options.contains("compat=0.10")) {
        run.withoutResizing();
      }
      PagedBytes image = run.run(150).finish();
      Images.store(image, file);
      Path expected = folder.resolve("expected.raw");
      Images.store(run.expected(), expected);
      QemuImg.requireClean(file, run);
      QemuImg.requireSame(file, expected, run);
      requireSnapshots(run);
      QemuImg.io(file, run.commandsInside());
    }
  }

  /** qemu-img shows a snapshot as long as the disk is now, the driver as long as it was. */
  private void requireSnapshots(Object context) throws IOException {
    PagedBytes image = Images.load(file);
    for (Map.Entry<String, byte[]> snapshot : snapshots.entrySet()) {
      byte[] expected = snapshot.getValue();
      byte[] ours = SnapshotImages.read(image, snapshot.getKey());
      byte[] theirs = SnapshotImages.convert(file, snapshot.getKey());
      int common = Math.min(theirs.length, expected.length);
      assertThat(Arrays.equals(ours, expected)).as("%s: we show it", context).isTrue();
      assertThat(Arrays.equals(theirs, 0, common, expected, 0, common))
          .as("%s: qemu-img shows it", context)
          .isTrue();
    }
  }

  /** Returns a disk of which every other 4 KiB compress well, the rest not at all. */
  private static PagedBytes compressible() {
    PagedBytes bytes = new PagedBytes(LENGTH);
    for (int at = 0; at < LENGTH / 2; at += 4096) {
      int noise = at % 8192 == 0 ? 700 : 4096;
      bytes.write(at, ByteBuffer.wrap(DiskModel.pattern(noise, at)));
    }
    return bytes;
  }
}
