// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.backend.BlockBackend;
import io.blkmount.block.driver.BackingReference;
import io.blkmount.block.driver.CreateOptions;
import io.blkmount.block.driver.DiscardMode;
import io.blkmount.block.driver.Extent;
import io.blkmount.block.driver.Preallocation;
import io.blkmount.block.open.OpenOptions;
import io.blkmount.block.testing.DiskModel;
import io.blkmount.block.testing.Images;
import io.blkmount.block.testing.QemuImg;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Random requests on images with an external data file, made by qemu-img or here, agree with a
 * plain array, with qemu-img, and with the data file itself where it is raw.
 */
final class DataFileModelTest {
  private static final int STEPS = 120;
  private static final int ROUNDS = 3;

  @TempDir Path folder;

  private Path image;
  private Path data;
  private SplittableRandom random = new SplittableRandom(0);
  private DiskModel model = new DiskModel(0);
  private String context = "";

  @ParameterizedTest(name = "cluster size {0}, raw {1}, discard {2}, seed {3}")
  @CsvSource({
    "512, false, UNMAP, 1",
    "512, true, UNMAP, 2",
    "4096, false, IGNORE, 3",
    "4096, true, IGNORE, 4",
    "65536, false, UNMAP, 5",
    "65536, true, UNMAP, 6",
    "2097152, false, UNMAP, 7",
    "2097152, true, IGNORE, 8"
  })
  void imagesOfQemuImgAgree(int clusterSize, boolean raw, DiscardMode discard, long seed)
      throws IOException {
    agree(clusterSize, raw, "", discard, seed);
  }

  @ParameterizedTest(name = "cluster size {0}, raw {1}, discard {2}, seed {3}")
  @CsvSource({"16384, false, UNMAP, 31", "65536, true, IGNORE, 32", "131072, false, IGNORE, 33"})
  void imagesWithSubclustersAgree(int clusterSize, boolean raw, DiscardMode discard, long seed)
      throws IOException {
    agree(clusterSize, raw, ",extended_l2=on", discard, seed);
  }

  private void agree(int clusterSize, boolean raw, String more, DiscardMode discard, long seed)
      throws IOException {
    prepare(clusterSize, raw, seed);
    String options = "data_file=%s,data_file_raw=%s,cluster_size=%d%s";
    QemuImg.create(
        image, "" + model.length(), options.formatted(data, raw ? "on" : "off", clusterSize, more));
    run(raw, discard);
  }

  @ParameterizedTest(name = "cluster size {0}, raw {1}, discard {2}, seed {3}")
  @CsvSource({
    "512, false, IGNORE, 11",
    "512, true, IGNORE, 12",
    "65536, false, UNMAP, 13",
    "65536, true, UNMAP, 14",
    "2097152, false, IGNORE, 15",
    "2097152, true, UNMAP, 16"
  })
  void imagesMadeHereAgree(int clusterSize, boolean raw, DiscardMode discard, long seed)
      throws IOException {
    prepare(clusterSize, raw, seed);
    create(clusterSize, raw, null);
    run(raw, discard);
  }

  @ParameterizedTest(name = "cluster size {0}, seed {1}")
  @CsvSource({"512, 21", "65536, 22"})
  void overlaysKeepTheirOwnDataOutside(int clusterSize, long seed) throws IOException {
    prepare(clusterSize, false, seed);
    byte[] base = DiskModel.pattern(model.length() * 2 / 3 + 77, seed);
    Files.write(folder.resolve("base.raw"), base);
    model.write(0, ByteBuffer.wrap(base));
    create(clusterSize, false, new BackingReference("base.raw", "raw"));
    run(false, DiscardMode.UNMAP);
  }

  private void prepare(int clusterSize, boolean raw, long seed) {
    image = folder.resolve("image.qcow2");
    data = folder.resolve("guest.data");
    random = new SplittableRandom(seed);
    context = "cluster size " + clusterSize + " raw " + raw + " seed " + seed;
    model = new DiskModel(512 * (600 + random.nextInt(400)) + (clusterSize > 65536 ? 5 << 20 : 0));
  }

  private void create(int clusterSize, boolean raw, @Nullable BackingReference backing)
      throws IOException {
    Map<String, String> values = new HashMap<>();
    values.put("cluster_size", String.valueOf(clusterSize));
    values.put("data_file", data.toString());
    values.put("data_file_raw", raw ? "on" : "off");
    BlockLayer.create(
        image.toString(), "qcow2", new CreateOptions(model.length(), backing, values));
  }

  private void run(boolean raw, DiscardMode discard) throws IOException {
    OpenOptions options = OpenOptions.of(image.toString()).withDiscard(discard).withResizable(true);
    for (int round = 0; round < ROUNDS; round++) {
      try (BlockBackend disk = BlockLayer.open(options)) {
        for (int step = 0; step < STEPS; step++) {
          request(disk, context + " round " + round + " step " + step);
        }
        if (round > 0) {
          resize(disk);
        }
        checkAll(disk);
      }
      // qemu-img rounds the length of a new raw data file up to clusters; a resize makes it exact.
      if (raw && round > 0) {
        assertThat(Files.size(data)).as(context).isEqualTo(model.length());
      }
      compareWithQemuImg(raw);
      QemuImg.io(image, "write -P 7 10k 50k", "write -z 100k 64k", "discard 200k 20k");
      readWhatQemuWrote();
    }
  }

  private void request(BlockBackend disk, String at) throws IOException {
    int offset = random.nextInt(model.length());
    int length = Math.min(model.length() - offset, random.nextInt(1, 1 << random.nextInt(2, 18)));
    switch (random.nextInt(12)) {
      case 0, 1, 2, 3 -> {
        ByteBuffer bytes = Images.bytes(length, random.nextLong());
        model.write(offset, bytes);
        disk.write(offset, bytes);
      }
      case 4, 5 -> {
        disk.writeZeroes(offset, length, random.nextBoolean());
        model.writeZeroes(offset, length);
      }
      case 6, 7 -> {
        disk.discard(offset, length);
        model.discard(offset, length);
      }
      case 8 -> disk.flush();
      case 9 -> disk.reserve(offset, length);
      case 10 -> checkExtent(disk, offset, length, at);
      default -> check(disk, offset, length, at);
    }
  }

  private void check(BlockBackend disk, int offset, int length, String at) throws IOException {
    ByteBuffer read = ByteBuffer.allocateDirect(length);
    disk.read(offset, read);
    model.check(offset, read.flip(), at);
  }

  private void checkExtent(BlockBackend disk, int offset, int length, String at)
      throws IOException {
    Extent extent = disk.extentAt(offset, length);
    assertThat(extent.length()).as(at).isBetween(1L, (long) length);
    check(disk, offset, length, at);
    if (extent.kind() == Extent.Kind.ZERO) {
      assertThat(model.bytes(offset, (int) extent.length())).as(at).containsOnly(0);
    }
  }

  private void resize(BlockBackend disk) throws IOException {
    int sectors = model.length() / 512;
    int length = 512 * (sectors * 3 / 4 + random.nextInt(sectors / 2));
    disk.truncate(length, Preallocation.OFF);
    model.truncate(length);
    disk.truncate(length + 512 * 300, Preallocation.OFF);
    model.truncate(length + 512 * 300);
  }

  private void checkAll(BlockBackend disk) throws IOException {
    assertThat(disk.length()).as(context).isEqualTo(model.length());
    check(disk, 0, model.length(), context);
  }

  private void compareWithQemuImg(boolean raw) throws IOException {
    Path expected = folder.resolve("expected.raw");
    Files.write(expected, model.bytes(0, model.length()));
    QemuImg.requireClean(image, context);
    QemuImg.requireSame(image, expected, context);
    if (raw) {
      assertThat(Files.mismatch(data, expected)).as(context).isIn(-1L, (long) model.length());
    } else {
      assertThat(Files.size(data)).as(context).isLessThanOrEqualTo(model.length());
    }
  }

  /** A discard of QEMU's may or may not have done something. */
  private void readWhatQemuWrote() throws IOException {
    byte[] seven = new byte[50 << 10];
    Arrays.fill(seven, (byte) 7);
    model.write(10 << 10, ByteBuffer.wrap(seven));
    model.writeZeroes(100 << 10, 64 << 10);
    model.discard(200 << 10, 20 << 10);
    try (BlockBackend disk = BlockLayer.open(OpenOptions.of(image.toString()).withReadOnly(true))) {
      checkAll(disk);
    }
  }
}
