// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.blkmount.block.backend.BlockBackend;
import io.blkmount.block.driver.BackingReference;
import io.blkmount.block.driver.CreateOptions;
import io.blkmount.block.driver.Extent;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import io.blkmount.block.open.OpenOptions;
import io.blkmount.block.testing.Images;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.Map;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Images that name an external data file: how it is found, and what a hostile name gets. */
final class DataFileTest {
  private static final int LENGTH = 1 << 20;
  private static final int CLUSTER = 65536;
  private static final int L1_AT = 0x30000;
  private static final int EXTENSION_NAME_AT = 120;

  @TempDir Path folder;
  private Path image;
  private Path data;

  @BeforeEach
  void nameFiles() {
    image = folder.resolve("disk.qcow2");
    data = folder.resolve("d.raw");
  }

  private void create(String... more) throws IOException {
    Map<String, String> values = new HashMap<>(Map.of("data_file", "d.raw"));
    for (int i = 0; i < more.length; i += 2) {
      values.put(more[i], more[i + 1]);
    }
    BlockLayer.create(image.toString(), "qcow2", new CreateOptions(LENGTH, null, values));
  }

  private OpenOptions options() {
    return OpenOptions.of(image.toString());
  }

  private OpenOptions withDataFile(Path file) {
    return OpenOptions.ofImageOptions(
        Map.of(
            "driver",
            "qcow2",
            "file.filename",
            image.toString(),
            "data-file.filename",
            file.toString()));
  }

  private void poke(long offset, String hex) throws IOException {
    try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
      file.seek(offset);
      file.write(HexFormat.of().parseHex(hex));
    }
  }

  private static void write(OpenOptions options, long offset, int length) throws IOException {
    try (BlockBackend disk = BlockLayer.open(options)) {
      disk.write(offset, Images.bytes(length, 1));
    }
  }

  private static byte[] read(OpenOptions options, long offset, int length) throws IOException {
    try (BlockBackend disk = BlockLayer.open(options.withReadOnly(true))) {
      ByteBuffer read = ByteBuffer.allocateDirect(length);
      disk.read(offset, read);
      byte[] bytes = new byte[length];
      read.flip().get(bytes);
      return bytes;
    }
  }

  private static void assertFails(ThrowingCallable call, BlockError error, String message) {
    assertThatThrownBy(call)
        .isInstanceOfSatisfying(BlockException.class, e -> assertThat(e.error()).isEqualTo(error))
        .hasMessageContaining(message);
  }

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
  void aMissingDataFileIsOneErrorWithBothNames() throws IOException {
    create();
    Files.delete(data);

    assertFails(
        () -> BlockLayer.open(options()),
        BlockError.NOT_FOUND,
        "cannot open data file \"d.raw\" of \"%s\": no such file (looked in %s)"
            .formatted(image, folder));
  }

  @Test
  void anImageThatDoesNotNameItsDataFileNeedsTheOption() throws IOException {
    create();
    poke(112, "00000000");

    assertFails(
        () -> BlockLayer.open(options()),
        BlockError.INVALID,
        "keeps its data in a data file, but does not name it; data-file.filename does");
    write(withDataFile(data), 0, 512);
    assertThat(read(withDataFile(data), 0, 512)).doesNotContain(0);
  }

  @Test
  void theOptionGoesBeforeTheHeader() throws IOException {
    create();
    Path other = folder.resolve("other.raw");
    Files.move(data, other);

    write(withDataFile(other), 0, 512);

    assertThat(read(withDataFile(other), 0, 512)).doesNotContain(0);
    assertThat(data).doesNotExist();
  }

  @Test
  void theOptionIsRefusedWhereThereIsNoDataFile() throws IOException {
    BlockLayer.create(image.toString(), "qcow2", CreateOptions.ofLength(LENGTH));

    assertFails(
        () -> BlockLayer.open(withDataFile(data)), BlockError.INVALID, "name a data file, but");
  }

  @Test
  void theImageItselfIsNoDataFile() throws IOException {
    create();
    Files.delete(data);
    Files.createLink(data, image);
    byte[] before = Files.readAllBytes(image);

    assertFails(
        () -> BlockLayer.open(options()), BlockError.LOOP, "it is already in use as the image");
    assertThat(Files.readAllBytes(image)).isEqualTo(before);
  }

  /** The name has five bytes, {@code d.raw}. */
  @ParameterizedTest
  @ValueSource(strings = {"2e2e2f2e2f", "2f746d702f", "612f2e2e2f", "66696c653a"})
  void namesThatLeadElsewhereAreNotWritten(String name) throws IOException {
    create();
    poke(EXTENSION_NAME_AT, name);

    assertThatThrownBy(() -> BlockLayer.open(options()))
        .isInstanceOf(BlockException.class)
        .hasMessageContaining("cannot open data file");
  }

  @Test
  void aFileOutsideTheFolderIsReadButOnlyWrittenIfTheUserNamesIt() throws IOException {
    Path below = Files.createDirectory(folder.resolve("below"));
    image = below.resolve("disk.qcow2");
    BlockLayer.create(
        image.toString(),
        "qcow2",
        new CreateOptions(LENGTH, null, Map.of("data_file", "../d.raw")));

    assertFails(
        () -> BlockLayer.open(options()),
        BlockError.NOT_PERMITTED,
        "it lies outside the image's folder, or behind a link, and is only written if"
            + " data-file.filename names it");
    write(withDataFile(data), 0, 512);
    assertThat(read(options(), 0, 512)).doesNotContain(0);
  }

  /** Who hands out an image with its folder says where a link in there leads. */
  @ParameterizedTest
  @ValueSource(strings = {"d.raw", "sub/d.raw"})
  void aLinkIsOnlyFollowedForWritingIfTheUserNamesIt(String name) throws IOException {
    Path elsewhere = Files.createDirectory(folder.resolve("elsewhere"));
    Path shipped = Files.createDirectory(folder.resolve("shipped"));
    Files.createDirectory(shipped.resolve("sub"));
    image = shipped.resolve("disk.qcow2");
    data = shipped.resolve(name);
    create("data_file", name);
    Path link = name.contains("/") ? data.getParent() : data;
    Files.move(link, elsewhere.resolve("target"));
    Files.createSymbolicLink(link, elsewhere.resolve("target"));

    assertFails(() -> BlockLayer.open(options()), BlockError.NOT_PERMITTED, "or behind a link");
    write(withDataFile(data), 0, 512);
    assertThat(read(options(), 0, 512)).doesNotContain(0);
  }

  @Test
  void controlCharactersInTheNameAreEscaped() throws IOException {
    create();
    poke(EXTENSION_NAME_AT, "640a1b2e72");

    assertFails(
        () -> BlockLayer.open(options()),
        BlockError.NOT_FOUND,
        "cannot open data file \"d\\x0a\\x1b.r\" of ");
  }

  @Test
  void theNameEndsAtANul() throws IOException {
    create();
    poke(EXTENSION_NAME_AT, "6400000000");
    Files.move(data, folder.resolve("d"));

    write(options(), 0, 512);

    assertThat(Files.size(folder.resolve("d"))).isEqualTo(LENGTH);
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

  @Test
  void badPlacesForANewDataFileAreRefused() throws IOException {
    assertFails(() -> create("data_file", "disk.qcow2"), BlockError.INVALID, "is itself");
    assertThat(image).doesNotExist();
    Files.write(folder.resolve("base.raw"), new byte[512]);
    CreateOptions overBase =
        new CreateOptions(
            LENGTH,
            new BackingReference("base.raw", "raw"),
            Map.of("data_file", "d.raw", "data_file_raw", "on"));
    assertFails(
        () -> BlockLayer.create(image.toString(), "qcow2", overBase),
        BlockError.INVALID,
        "a backing file does not go together with a raw data file");
    assertThat(data).doesNotExist();
    assertFails(
        () ->
            BlockLayer.create(
                image.toString(),
                "qcow2",
                new CreateOptions(
                    LENGTH,
                    new BackingReference("base.raw", "raw"),
                    Map.of("data_file", "base.raw"))),
        BlockError.INVALID,
        "its data file is its backing file");
    assertThat(Files.size(folder.resolve("base.raw"))).isEqualTo(512);
  }
}
