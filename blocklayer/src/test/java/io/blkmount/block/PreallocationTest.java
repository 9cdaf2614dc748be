// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.blkmount.block.backend.BlockBackend;
import io.blkmount.block.bytes.Zeroes;
import io.blkmount.block.driver.BackingReference;
import io.blkmount.block.driver.CreateOptions;
import io.blkmount.block.driver.Extent;
import io.blkmount.block.driver.Preallocation;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import io.blkmount.block.open.OpenOptions;
import io.blkmount.block.testing.Images;
import io.blkmount.block.testing.QemuImg;
import io.blkmount.block.testing.TestKey;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.EnumSource.Mode;

/** Disks that get their clusters before anything is written. */
final class PreallocationTest {
  private static final int LENGTH = (4 << 20) + 1536;

  @TempDir private Path folder;
  private Path file;

  @BeforeEach
  void nameFile() {
    file = folder.resolve("disk.qcow2");
  }

  private void create(String options, String preallocation) throws IOException {
    Map<String, String> values = new HashMap<>(Map.of("preallocation", preallocation));
    for (String option : options.split(" ")) {
      values.put(option.split("=")[0], option.split("=")[1]);
    }
    BlockLayer.create(file.toString(), "qcow2", new CreateOptions(LENGTH, null, values));
  }

  private BlockBackend open() throws IOException {
    return BlockLayer.open(OpenOptions.of(file.toString()).withResizable(true));
  }

  private static long number(String json, String key) {
    Matcher matcher = Pattern.compile('"' + key + "\": (\\d+)").matcher(json);
    return matcher.find() ? Long.parseLong(matcher.group(1)) : 0;
  }

  @ParameterizedTest
  @CsvSource({
    "cluster_size=512, metadata",
    "cluster_size=4k, full",
    "cluster_size=64k, metadata",
    "cluster_size=64k refcount_bits=1, falloc",
    "cluster_size=2M refcount_bits=64, full",
    "cluster_size=64k extended_l2=on, metadata",
    "cluster_size=64k compat=0.10, full"
  })
  void newDiskHasAllItsClustersAsQemuImgHasThem(String options, String mode) throws IOException {
    create(options, mode);
    Path theirs = folder.resolve("theirs.qcow2");
    QemuImg.create(theirs, LENGTH + "", options.replace(' ', ',') + ",preallocation=" + mode);

    QemuImg.requireClean(file, options);
    assertThat(number(QemuImg.check(file).output(), "allocated-clusters"))
        .isEqualTo(number(QemuImg.check(theirs).output(), "allocated-clusters"));
    Path raw = folder.resolve("zeros.raw");
    QemuImg.img("create", "-q", "-f", "raw", raw, LENGTH);
    QemuImg.requireSame(file, raw, options);
    long length = Files.size(file);
    try (BlockBackend disk = open()) {
      assertThat(disk.allocatedBytes())
          .isGreaterThanOrEqualTo(mode.equals("metadata") ? 0 : LENGTH);
      disk.write(0, Images.bytes(LENGTH, 1));
    }
    assertThat(Files.size(file)).isEqualTo(length);
    QemuImg.requireClean(file, options + " written");
  }

  @ParameterizedTest
  @EnumSource(value = Preallocation.class, mode = Mode.EXCLUDE, names = "OFF")
  void grownDiskHasTheClustersOfItsNewPart(Preallocation mode) throws IOException {
    create("cluster_size=4k", "off");
    try (BlockBackend disk = open()) {
      disk.write(0, Images.bytes(LENGTH, 1));
      disk.discard(1 << 20, 1 << 20); // what was here is not what the new part shows
      disk.flush();
      disk.flush();
      disk.truncate(3L * LENGTH, mode);

      Extent grown = disk.extentAt(LENGTH + 4096, 2L * LENGTH - 4096);
      assertThat(grown.kind()).isEqualTo(Extent.Kind.DATA);
      ByteBuffer zeros = ByteBuffer.allocateDirect(2 * LENGTH);
      disk.read(LENGTH, zeros);
      assertThat(Zeroes.isZero(zeros.flip())).isTrue();
    }
    QemuImg.requireClean(file, mode);
    assertThat(number(QemuImg.check(file).output(), "allocated-clusters"))
        .isBetween(3L * LENGTH / 4096 - 260, 3L * LENGTH / 4096 + 1);
  }

  @Test
  void diskWithSnapshotsGrowsAndShrinks() throws IOException {
    create("cluster_size=4k", "metadata");
    QemuImg.img("snapshot", "-c", "a", file);
    try (BlockBackend disk = open()) {
      disk.truncate(2L * LENGTH, Preallocation.METADATA);
      disk.write(0, Images.bytes(2 * LENGTH, 3));
      disk.truncate(LENGTH / 2, Preallocation.OFF);
      disk.internalSnapshots().applySnapshot("a");
      assertThat(disk.length()).isEqualTo(LENGTH);
      ByteBuffer all = ByteBuffer.allocateDirect(LENGTH);
      disk.read(0, all);
      assertThat(Zeroes.isZero(all.flip())).isTrue();
    }
    QemuImg.requireClean(file, "resized");
  }

  @Test
  void diskThatGetsShorterHasNothingToPreallocate() throws IOException {
    create("cluster_size=4k", "off");
    try (BlockBackend disk = open()) {
      BlockException refused =
          catchThrowableOfType(
              BlockException.class, () -> disk.truncate(4096, Preallocation.METADATA));
      assertThat(refused.error()).isEqualTo(BlockError.INVALID);
      assertThat(disk.length()).isEqualTo(LENGTH);
    }
  }

  @Test
  void overlayWithoutSubclustersIsNotPreallocated() throws IOException {
    Path base = folder.resolve("base.raw");
    QemuImg.img("create", "-q", "-f", "raw", base, "1M");
    CreateOptions options =
        new CreateOptions(
            1 << 20,
            new BackingReference(base.toString(), "raw"),
            Map.of("preallocation", Preallocation.FULL.name().toLowerCase(Locale.ROOT)));

    BlockException refused =
        catchThrowableOfType(
            BlockException.class, () -> BlockLayer.create(file.toString(), "qcow2", options));

    assertThat(refused)
        .hasMessageEndingWith(
            "preallocation goes together with a backing file only if extended_l2=on");
    assertThat(file).doesNotExist();
  }

  private static byte[] bytes(int length, int seed) {
    byte[] bytes = new byte[length];
    Images.bytes(length, seed).get(bytes);
    return bytes;
  }

  /** A raw disk of zeros as long as ours. */
  private Path zeros(long length) {
    Path raw = folder.resolve("zeros.raw");
    QemuImg.img("create", "-q", "-f", "raw", raw, length);
    return raw;
  }

  private static long allocated(Path image) {
    return number(QemuImg.check(image).output(), "allocated-clusters");
  }

  private static long hostBytes(Path raw) {
    return number(QemuImg.img("info", "--output=json", "-f", "raw", raw), "actual-size");
  }

  private BlockBackend openWithKey() throws IOException {
    return BlockLayer.open(
        OpenOptions.of(file.toString()).withResizable(true).withKeys(TestKey.SOURCE));
  }

  /** Writes all of the disk, which needs no new space for that. */
  private void fill(int length, String context) throws IOException {
    long before = Files.size(file);
    try (BlockBackend disk = openWithKey()) {
      disk.write(0, Images.bytes(length, 1));
    }
    assertThat(Files.size(file)).as(context).isEqualTo(before);
    QemuImg.requireClean(file, context + " written");
    Path raw = folder.resolve("written.raw");
    Files.write(raw, bytes(length, 1));
    QemuImg.requireSame(file, raw, context + " written");
  }

  @ParameterizedTest
  @CsvSource({"16k, metadata", "64k, falloc", "2M, full"})
  void overlayWithSubclustersShowsItsBackingFileAsQemuImgHasIt(String clusterSize, String mode)
      throws IOException {
    Path base = folder.resolve("base.raw");
    Files.write(base, bytes(1 << 20, 5));
    String options = "extended_l2=on,cluster_size=" + clusterSize + ",preallocation=" + mode;
    Map<String, String> values =
        Map.of("extended_l2", "on", "cluster_size", clusterSize, "preallocation", mode);
    BackingReference backing = new BackingReference(base.toString(), "raw");
    BlockLayer.create(file.toString(), "qcow2", new CreateOptions(LENGTH, backing, values));
    Path theirs = folder.resolve("theirs.qcow2");
    QemuImg.img(
        "create", "-q", "-f", "qcow2", "-b", base, "-F", "raw", "-o", options, theirs, LENGTH);

    QemuImg.requireClean(file, options);
    assertThat(allocated(file)).isEqualTo(allocated(theirs));
    Path expected = folder.resolve("expected.raw");
    QemuImg.toRaw(theirs, expected);
    QemuImg.requireSame(file, expected, options);
    assertThat(QemuImg.img("map", "--output=json", "-f", "qcow2", file)).contains("\"depth\": 1");
    try (BlockBackend disk = open()) {
      assertThat(disk.allocatedBytes())
          .isGreaterThanOrEqualTo(mode.equals("metadata") ? 0 : LENGTH);
    }
    fill(LENGTH, options);
  }

  @ParameterizedTest
  @CsvSource({
    "off, metadata",
    "off, falloc",
    "off, full",
    "on, metadata",
    "on, falloc",
    "on, full",
  })
  void dataFileHasTheSpace(String raw, String mode) throws IOException {
    Path data = folder.resolve("disk.data");
    Files.write(data, bytes(LENGTH, 3)); // of which nothing is left
    create("cluster_size=64k data_file=" + data + " data_file_raw=" + raw, mode);

    QemuImg.requireClean(file, mode);
    QemuImg.requireSame(file, zeros(LENGTH), mode);
    assertThat(allocated(file)).isEqualTo((LENGTH + 65535) / 65536);
    long space = mode.equals("metadata") ? 0 : LENGTH;
    assertThat(hostBytes(data)).isBetween(space, space + (1 << 20));

    try (BlockBackend disk = open()) {
      disk.truncate(2L * LENGTH, Preallocation.valueOf(mode.toUpperCase(Locale.ROOT)));
    }

    QemuImg.requireClean(file, mode);
    QemuImg.requireSame(file, zeros(2L * LENGTH), mode);
    assertThat(Files.size(data)).isEqualTo(2L * LENGTH);
    assertThat(hostBytes(data)).isBetween(2 * space - 65536, 2 * space + (1 << 20));
    fill(2 * LENGTH, mode);
  }

  /** Unlike QEMU's, whose clusters hold zeros that nobody encrypted, these read as zeros. */
  @ParameterizedTest
  @CsvSource({
    "encrypt.format=luks encrypt.iter-time=10, metadata",
    "encrypt.format=luks encrypt.iter-time=10 cluster_size=2M, falloc",
    "encrypt.format=luks encrypt.iter-time=10 extended_l2=on, full",
    "encrypt.format=luks encrypt.iter-time=10 compat=0.10, metadata",
    "encrypt.format=aes extended_l2=on, falloc",
    "encrypt.format=aes cluster_size=512, full",
    "encrypt.format=aes data_file=disk.data, metadata",
    "encrypt.format=aes data_file=disk.data, full",
  })
  void encryptedDiskReadsAsZeros(String options, String mode) throws IOException {
    Map<String, String> values = new HashMap<>(Map.of("preallocation", mode));
    for (String option : options.split(" ")) {
      values.put(option.split("=")[0], option.split("=")[1]);
    }
    values.computeIfPresent("data_file", (option, name) -> folder.resolve(name).toString());
    CreateOptions shape = new CreateOptions(LENGTH, null, values).withKeys(TestKey.SOURCE);
    BlockLayer.create(file.toString(), "qcow2", shape);

    QemuImg.requireClean(file, options);
    QemuImg.requireSame(file, zeros(LENGTH), options);
    try (BlockBackend disk = openWithKey()) {
      disk.truncate(2L * LENGTH, Preallocation.valueOf(mode.toUpperCase(Locale.ROOT)));
    }
    QemuImg.requireClean(file, options);
    QemuImg.requireSame(file, zeros(2L * LENGTH), options);
    fill(2 * LENGTH, options);
  }
}
