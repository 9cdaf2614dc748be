// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.blkmount.block.backend.BlockBackend;
import io.blkmount.block.driver.CreateOptions;
import io.blkmount.block.open.ImageOptions;
import io.blkmount.block.open.OpenOptions;
import io.blkmount.block.testing.TestKey;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ReadOnlyBufferException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What a program may do wrong with the library, and what must come of it. */
final class EmbeddedUseTest extends EncryptedFixture {
  private static final byte[] OLD = "precious".getBytes(StandardCharsets.UTF_8);

  private void create(String format, String values) throws IOException {
    BlockLayer.create(
        image.toString(), format, new CreateOptions(LENGTH, null, ImageOptions.parse(values)));
  }

  @Test
  void faultOfTheCallersKeySourceKeepsNothingOpen() throws IOException {
    BlockLayer.create(
        image.toString(),
        "qcow2",
        new CreateOptions(LENGTH, null, ImageOptions.parse(LUKS)).withKeys(TestKey.SOURCE));
    OpenOptions faulty =
        OpenOptions.of(image.toString())
            .withKeys(
                name -> {
                  throw new AssertionError("no key");
                });

    assertThatThrownBy(() -> BlockLayer.open(faulty)).hasMessage("no key");

    BlockLayer.open(options(image)).close(); // nobody has it locked
  }

  @ParameterizedTest(name = "{0}")
  @ValueSource(strings = {"qcow2", "raw"})
  void readOnlyMemoryIsNotFilled(String format) throws IOException {
    BlockLayer.create(image.toString(), format, CreateOptions.ofLength(LENGTH));
    ByteBuffer memory = ByteBuffer.allocateDirect(512);
    try (BlockBackend disk = BlockLayer.open(OpenOptions.of(image.toString()).withFormat(format))) {
      disk.write(0, ByteBuffer.allocate(512).put(0, (byte) 7));

      assertThatThrownBy(() -> disk.read(0, memory.asReadOnlyBuffer()))
          .isInstanceOf(ReadOnlyBufferException.class);
    }
    assertThat(memory.get(0)).isZero();
  }

  @ParameterizedTest(name = "{0} {1}")
  @CsvSource({
    "qcow2, cluster_size=3",
    "qcow2, bogus=1",
    "qcow2, encrypt.format=luks",
    "raw, preallocation=metadata",
    "raw, bogus=1"
  })
  void refusedCreationKeepsWhatTheNameHeld(String format, String values) throws IOException {
    Files.write(image, OLD);

    assertThatThrownBy(() -> create(format, values)).isInstanceOf(IOException.class);

    assertThat(image).hasBinaryContent(OLD);
  }

  @Test
  void refusedCreationKeepsWhatTheDataFileHeld() throws IOException {
    Path data = Files.write(folder.resolve("data.raw"), OLD);

    assertThatThrownBy(() -> create("qcow2", "data_file=data.raw,encrypt.format=luks"))
        .isInstanceOf(IOException.class);

    assertThat(data).hasBinaryContent(OLD);
  }

  @ParameterizedTest(name = "{0}")
  @ValueSource(strings = {"qcow2", "raw"})
  void creationLeavesNothingOfTheOldFile(String format) throws IOException {
    Path data = Files.write(folder.resolve("data.raw"), OLD);
    Files.write(image, OLD);

    create(format, format.equals("raw") ? "preallocation=off" : "data_file=data.raw");

    assertThat(content(OpenOptions.of(image.toString()).withFormat(format)))
        .isEqualTo(new byte[LENGTH]);
    assertThat(Files.size(data)).isEqualTo(format.equals("raw") ? OLD.length : LENGTH);
  }

  @ParameterizedTest(name = "{0}")
  @CsvSource(
      delimiter = '|',
      value = {
        "driver=file,file.bogus=1 | driver file has no file below it: option file.bogus",
        "driver=file,file.read-only=on | driver file has no file below it: option file.read-only",
        "driver=raw,backing.driver=raw | option backing.driver: raw has no backing file",
        "driver=qcow2,backing=null,backing.x=1 | option backing.x: beside backing=null",
      })
  void optionsThatNothingTakesAreRefused(String text, String message) throws IOException {
    BlockLayer.create(image.toString(), "qcow2", CreateOptions.ofLength(LENGTH));
    OpenOptions options =
        OpenOptions.ofImageOptions(ImageOptions.parse(text + ",filename=" + image));

    assertThatThrownBy(() -> BlockLayer.open(options)).hasMessage(message);
  }

  @Test
  void imageIsNotWritableOnAFileThatIsNot() throws IOException {
    BlockLayer.create(image.toString(), "qcow2", CreateOptions.ofLength(LENGTH));
    OpenOptions options = OpenOptions.of(image.toString()).withImageOption("file.read-only", "on");

    assertThatThrownBy(() -> BlockLayer.open(options))
        .hasMessage("option file.read-only=on: \"%s\" is opened for writing".formatted(image));
    BlockLayer.open(options.withReadOnly(true)).close();
  }

  @Test
  void imageIsNotWritableOnADataFileThatIsNot() throws IOException {
    create("qcow2", "data_file=data.raw");
    OpenOptions options =
        OpenOptions.of(image.toString()).withImageOption("data-file.read-only", "on");

    assertThatThrownBy(() -> BlockLayer.open(options))
        .hasMessageEndingWith("option read-only=on: the image is opened for writing");
    BlockLayer.open(options.withReadOnly(true)).close();
  }

  @Test
  void bitmapNameThatQemuCutsShortIsRefused() throws IOException {
    BlockLayer.create(image.toString(), "qcow2", CreateOptions.ofLength(LENGTH));
    try (BlockBackend disk = BlockLayer.open(OpenOptions.of(image.toString()))) {
      assertThatThrownBy(() -> disk.bitmaps().addBitmap("x\0y", 65536, true))
          .hasMessage("bitmap name \"x\\x00y\": a NUL is in it");
    }
  }

  @Test
  void unknownFormatIsShownOnOneLine() {
    assertThatThrownBy(
            () -> BlockLayer.create(image.toString(), "x\n\033", CreateOptions.ofLength(0)))
        .hasMessageStartingWith("unknown format \"x\\x0a\\x1b\": known are ");
  }
}
