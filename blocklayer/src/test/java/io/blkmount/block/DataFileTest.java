// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block;

import static io.blkmount.block.testing.Failures.assertFails;
import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.backend.BlockBackend;
import io.blkmount.block.driver.Extent;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.open.OpenOptions;
import io.blkmount.block.testing.Images;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Images whose guest data is in an external data file. */
final class DataFileTest extends DataFileFixture {
  private static final int CLUSTER = 65536;
  private static final int L1_AT = 0x30000;

  @Test
  void guestDataLiesAtItsOwnOffset() throws IOException {
    create();
    write(options(), 3 * CLUSTER + 512, 1000);

    byte[] written = new byte[1000];
    Images.bytes(1000, 1).get(written);
    byte[] stored = Files.readAllBytes(data);
    assertThat(ByteBuffer.wrap(stored, 3 * CLUSTER + 512, 1000))
        .isEqualTo(ByteBuffer.wrap(written));
    assertThat(Files.size(image)).isLessThanOrEqualTo(6 * CLUSTER);
  }

  @Test
  void spaceAndHolesAreThoseOfTheDataFile() throws IOException {
    create("data_file_raw", "on");
    try (BlockBackend disk = BlockLayer.open(options())) {
      long empty = disk.allocatedBytes();
      disk.write(4 * CLUSTER, Images.bytes(2 * CLUSTER, 1));
      disk.flush();

      assertThat(disk.allocatedBytes()).isGreaterThanOrEqualTo(empty + 2 * CLUSTER);
      assertThat(disk.extentAt(0, LENGTH)).isEqualTo(Extent.zero(0, 4 * CLUSTER));
      assertThat(disk.extentAt(4 * CLUSTER, LENGTH - 4 * CLUSTER).length()).isEqualTo(2 * CLUSTER);
    }
  }

  @Test
  void entriesPastTheEndOfAShorterFileReadAsZeros() throws IOException {
    create();
    write(options(), 0, LENGTH);
    try (RandomAccessFile file = new RandomAccessFile(data.toFile(), "rw")) {
      file.setLength(CLUSTER);
    }

    assertThat(read(options(), CLUSTER, LENGTH - CLUSTER)).containsOnly(0);
    write(options(), LENGTH - 512, 512);
    assertThat(read(options(), LENGTH - 512, 512)).doesNotContain(0);
    assertThat(Files.size(data)).isEqualTo(LENGTH);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "8000000000010000", // another cluster's place
        "8000000000000000", // the first one's
        "4000000000000000" // compressed
      })
  void entriesThatNameAnotherPlaceAreCorruption(String entry) throws IOException {
    create();
    write(options(), 0, LENGTH);
    long l2 = ByteBuffer.wrap(Files.readAllBytes(image)).getLong(L1_AT) & 0xff_ffff_ffff_fe00L;
    poke(l2 + 5 * Long.BYTES, entry);
    byte[] before = Files.readAllBytes(data);

    assertFails(() -> read(options(), 5 * CLUSTER, 512), BlockError.IO, "");
    assertFails(() -> write(options(), 5 * CLUSTER, 512), BlockError.IO, "");
    assertThat(Files.readAllBytes(data)).isEqualTo(before);
  }

  @Test
  void aReadOnlyOpenChangesNoByte() throws IOException {
    create("data_file_raw", "on");
    byte[] imageBefore = Files.readAllBytes(image);
    byte[] dataBefore = Files.readAllBytes(data);

    assertThat(read(options(), 0, LENGTH)).containsOnly(0);

    assertThat(Files.readAllBytes(image)).isEqualTo(imageBefore);
    assertThat(Files.readAllBytes(data)).isEqualTo(dataBefore);
  }

  @Test
  void theRawBitOutlivesTheFirstWrite() throws IOException {
    create("data_file_raw", "on");
    poke(88, "4000000000000002");

    write(options(), 0, 512);

    assertThat(ByteBuffer.wrap(Files.readAllBytes(image)).getLong(88)).isEqualTo(2);
  }

  @Test
  void theDataFileIsLockedLikeTheImage() throws IOException {
    create();
    try (BlockBackend disk = BlockLayer.open(options())) {
      assertThat(disk.writable()).isTrue();
      assertFails(
          () -> BlockLayer.open(OpenOptions.of(data.toString()).withFormat("raw")),
          BlockError.LOCKED,
          "d.raw");
    }
  }

  @Test
  void whatANewDataFileHeldIsGone() throws IOException {
    Files.write(data, new byte[] {1, 2, 3});

    create("data_file_raw", "on");

    assertThat(Files.size(data)).isEqualTo(LENGTH);
    assertThat(read(options(), 0, LENGTH)).containsOnly(0);
  }
}
