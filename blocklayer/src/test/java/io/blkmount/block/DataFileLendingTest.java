// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.blkmount.block.backend.BlockBackend;
import io.blkmount.block.backend.FileLending;
import io.blkmount.block.driver.BitmapStore;
import io.blkmount.block.driver.CreateOptions;
import io.blkmount.block.open.CacheMode;
import io.blkmount.block.open.OpenOptions;
import io.blkmount.block.testing.Images;
import io.blkmount.block.testing.QemuImg;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A raw data file that the kernel may have for itself, because it is the disk. */
final class DataFileLendingTest {
  private static final int LENGTH = 4 << 20;
  private static final int CLUSTER = 65536;

  /** Of the header: the highest byte of the autoclear features. */
  private static final int AUTOCLEAR_AT = 88;

  @TempDir Path folder;
  private Path image;
  private Path data;

  @BeforeEach
  void nameFiles() {
    image = folder.resolve("disk.qcow2");
    data = folder.resolve("d.raw");
  }

  private void create(String... more) throws IOException {
    Map<String, String> values = new HashMap<>(Map.of("data_file", data.toString()));
    for (String option : more) {
      values.put(option.split("=")[0], option.split("=")[1]);
    }
    BlockLayer.create(image.toString(), "qcow2", new CreateOptions(LENGTH, null, values));
  }

  private BlockBackend open() throws IOException {
    return BlockLayer.open(OpenOptions.of(image.toString()));
  }

  private static void assertNotLent(OpenOptions options, String why) throws IOException {
    try (BlockBackend disk = BlockLayer.open(options)) {
      assertThatThrownBy(disk::lendFile).hasMessageContaining(why);
    }
  }

  private void assertNotLent(String why) throws IOException {
    assertNotLent(OpenOptions.of(image.toString()), why);
  }

  private void requireSound() {
    QemuImg.img("check", "-q", image);
    QemuImg.img("compare", "-q", "-f", "qcow2", "-F", "raw", image, data);
  }

  @ParameterizedTest
  @ValueSource(strings = {"cluster_size=64k", "cluster_size=512", "extended_l2=on"})
  void whatTheKernelWritesIsTheDisk(String shape) throws IOException {
    create("data_file_raw=on", shape);
    ByteBuffer bytes = Images.bytes(3 * CLUSTER, 1);
    try (BlockBackend disk = open();
        FileLending.Loan loan = disk.lendFile();
        FileChannel kernel = FileChannel.open(data, StandardOpenOption.WRITE)) {
      assertThat(Files.isSameFile(Path.of("/proc/self/fd/" + loan.descriptor()), data)).isTrue();
      kernel.write(bytes.duplicate(), CLUSTER + 512);
      disk.writeZeroes(2 * CLUSTER, CLUSTER, true);
      disk.discard(0, CLUSTER);
      kernel.write(bytes.duplicate(), CLUSTER + 512);
      disk.flush();

      ByteBuffer read = ByteBuffer.allocateDirect(3 * CLUSTER);
      disk.read(CLUSTER + 512, read);
      assertThat(read.flip()).isEqualTo(bytes);
    }
    requireSound();
  }

  @Test
  void aLongerFileIsALongerDisk() throws IOException {
    create("data_file_raw=on", "cluster_size=512");
    ByteBuffer bytes = Images.bytes(LENGTH, 1);
    int end = LENGTH + LENGTH / 2 + 512;
    try (BlockBackend disk = open();
        FileLending.Loan loan = disk.lendFile();
        FileChannel kernel = FileChannel.open(data, StandardOpenOption.WRITE)) {
      kernel.write(bytes.duplicate(), LENGTH / 2 + 512);
      assertThat(disk.length()).isEqualTo(end);
      kernel.write(bytes.slice(0, 1000), end);
      disk.flush();
      assertThat(loan.descriptor()).isPositive();
    }

    requireSound();
    try (BlockBackend disk = open()) {
      assertThat(disk.length()).as("whole sectors").isEqualTo(end + 1024);
      ByteBuffer read = ByteBuffer.allocateDirect(LENGTH);
      disk.read(LENGTH / 2 + 512, read);
      assertThat(read.flip()).isEqualTo(bytes);
      ByteBuffer last = ByteBuffer.allocateDirect(1000);
      disk.read(end, last);
      assertThat(last.flip()).isEqualTo(bytes.slice(0, 1000));
      disk.lendFile().close();
    }
  }

  @Test
  void whateverIsNotTheFileKeepsIt() throws IOException {
    create();
    assertNotLent("its format is qcow2");

    create("data_file_raw=on");
    OpenOptions plain = OpenOptions.of(image.toString());
    assertNotLent(plain.withResizable(true), "--resizable");
    assertNotLent(plain.withCache(CacheMode.DIRECTSYNC), "--cache directsync");
    assertNotLent(plain.withSnapshot(true), "--snapshot");

    Files.write(data, new byte[512], StandardOpenOption.APPEND);
    assertNotLent("its data file has " + (LENGTH + 512) + " bytes, the disk has " + LENGTH);
  }

  /** QEMU's discards leave entries that say zero whatever the file holds. */
  @ParameterizedTest
  @ValueSource(strings = {"discard 1M 64k", "write -z -u 1M 64k", "write -z 1M 64k"})
  void anEntryThatHidesTheFileKeepsIt(String command) throws IOException {
    create("data_file_raw=on");
    QemuImg.tool(
        "qemu-io",
        "--image-opts",
        "driver=qcow2,discard=unmap,file.filename=" + image,
        "-c",
        command);

    assertNotLent("its disk is not mapped to the data file at guest offset 1048576");
    assertNotLent(OpenOptions.of(image.toString()).withReadOnly(true), "at guest offset 1048576");
  }

  @Test
  void bitmapsAndLoansKeepEachOtherOut() throws IOException {
    create("data_file_raw=on");
    try (BlockBackend disk = open()) {
      BitmapStore bitmaps = disk.bitmaps();
      bitmaps.addBitmap("a", CLUSTER, false);
      assertThatThrownBy(disk::lendFile).hasMessageContaining("remove \"a\"");
      bitmaps.removeBitmap("a");

      disk.lendFile().close();
      assertThatThrownBy(() -> bitmaps.addBitmap("b", CLUSTER, true))
          .hasMessageContaining("--passthrough off");
    }
    requireSound();
  }

  @Test
  void autoclearBitsThatWritesBreakAreGoneBeforeTheKernelWrites() throws IOException {
    create("data_file_raw=on");
    try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
      file.seek(AUTOCLEAR_AT);
      file.write(0x80);
    }
    try (BlockBackend disk = open();
        FileLending.Loan loan = disk.lendFile()) {
      assertThat(loan.descriptor()).isPositive();
      byte[] header = Files.readAllBytes(image);
      assertThat(ByteBuffer.wrap(header).getLong(AUTOCLEAR_AT)).as("raw alone").isEqualTo(2);
    }
  }

  /** The bit alone, without the entries that creation would have to write. */
  @Test
  void tablesThatAreLongToLookThroughAreNot() throws IOException {
    Map<String, String> values = Map.of("data_file", data.toString(), "cluster_size", "512");
    BlockLayer.create(image.toString(), "qcow2", new CreateOptions(3L << 30, null, values));
    try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
      file.seek(AUTOCLEAR_AT + Long.BYTES - 1);
      file.write(2);
    }

    assertNotLent("its L2 tables have 50331648 bytes, at most 33554432 are looked through");
  }
}
