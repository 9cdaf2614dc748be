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
  void overlayIsNotPreallocated() throws IOException {
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
        .hasMessageEndingWith("preallocation does not go together with a backing file");
    assertThat(file).doesNotExist();
  }
}
