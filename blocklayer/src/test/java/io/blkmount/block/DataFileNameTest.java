// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block;

import static io.blkmount.block.testing.Failures.assertFails;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.blkmount.block.driver.BackingReference;
import io.blkmount.block.driver.CreateOptions;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** How the data file of an image is found, and what a hostile name gets. */
final class DataFileNameTest extends DataFileFixture {
  private static final int EXTENSION_NAME_AT = 120;

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
  }

  /** It would be emptied. */
  @Test
  void aLayerBelowIsNoNewDataFile() throws IOException {
    byte[] base = new byte[512];
    Arrays.fill(base, (byte) 7);
    Files.write(folder.resolve("base.raw"), base);
    CreateOptions overlay =
        new CreateOptions(512, new BackingReference("base.raw", "raw"), Map.of());
    BlockLayer.create(folder.resolve("mid.qcow2").toString(), "qcow2", overlay);

    for (String below : List.of("base.raw", "mid.qcow2")) {
      CreateOptions options =
          new CreateOptions(
              LENGTH, new BackingReference(below, null), Map.of("data_file", "base.raw"));
      assertFails(
          () -> BlockLayer.create(image.toString(), "qcow2", options),
          BlockError.INVALID,
          "its data file is a file of its backing chain");
    }
    assertThat(folder.resolve("base.raw")).hasBinaryContent(base);
  }
}
