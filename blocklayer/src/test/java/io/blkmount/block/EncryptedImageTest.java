// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block;

import static io.blkmount.block.testing.Failures.assertFails;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.blkmount.block.backend.BlockBackend;
import io.blkmount.block.driver.Extent;
import io.blkmount.block.driver.KeySource;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import io.blkmount.block.open.OpenOptions;
import io.blkmount.block.testing.DiskModel;
import io.blkmount.block.testing.Images;
import io.blkmount.block.testing.QemuImg;
import io.blkmount.block.testing.TestKey;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.util.Arrays;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Encrypted images of QEMU are read and written with the right key, and with no other. */
final class EncryptedImageTest extends EncryptedFixture {
  /**
   * Other ciphers and hashes make the same difference to any image; the header's tests have them.
   */
  @ParameterizedTest
  @ValueSource(
      strings = {
        LUKS,
        "compat=0.10,encrypt.format=aes",
        LUKS + ",extended_l2=on,cluster_size=128k",
        "encrypt.format=aes,cluster_size=512",
        LUKS + ",compat=0.10,cluster_size=4k",
        LUKS
            + ",cluster_size=512,encrypt.cipher-alg=aes-128,encrypt.cipher-mode=cbc,"
            + "encrypt.ivgen-alg=essiv,encrypt.ivgen-hash-alg=sha256,encrypt.hash-alg=sha1",
      })
  void whatOneWritesTheOtherReads(String options) throws IOException {
    QemuImg.createEncrypted(image, String.valueOf(LENGTH), options);
    DiskModel model = new DiskModel(LENGTH);
    QemuImg.ioEncrypted(image, "write -P 0x5a 70000 200000");
    byte[] written = new byte[200_000];
    Arrays.fill(written, (byte) 0x5a);
    model.write(70_000, ByteBuffer.wrap(written));

    byte[] read = content(options(image));
    try (BlockBackend disk = BlockLayer.open(options(image))) {
      write(disk, model, 100_001, 300_007);
      write(disk, model, 0, 512);
      write(disk, model, LENGTH - 4096, 4096);
      disk.writeZeroes(150_000, 100_000, true);
      model.writeZeroes(150_000, 100_000);
    }

    DiskModel before = new DiskModel(LENGTH);
    before.write(70_000, ByteBuffer.wrap(written));
    assertThat(read).isEqualTo(before.bytes(0, LENGTH));
    assertThat(content(options(image))).isEqualTo(model.bytes(0, LENGTH));
    QemuImg.requireClean(image, options);
    QemuImg.requireSame(image, raw(model.bytes(0, LENGTH)), options);
  }

  @Test
  void whatIsStoredIsNotWhatWasWritten() throws IOException {
    QemuImg.createEncrypted(image, "1M", LUKS);
    byte[] mark = "nobody shall find this".getBytes(StandardCharsets.US_ASCII);

    try (BlockBackend disk = BlockLayer.open(options(image))) {
      disk.write(5000, ByteBuffer.wrap(mark));
    }

    assertThat(indexOf(Files.readAllBytes(image), mark)).isNegative();
    assertThat(indexOf(content(options(image)), mark)).isEqualTo(5000);
  }

  private static int indexOf(byte[] bytes, byte[] wanted) {
    String text = new String(bytes, StandardCharsets.ISO_8859_1);
    return text.indexOf(new String(wanted, StandardCharsets.ISO_8859_1));
  }

  @Test
  void theCallersBytesStayAsTheyWere() throws IOException {
    QemuImg.createEncrypted(image, "8M", LUKS);
    ByteBuffer bytes = Images.bytes(5 << 20, 1);
    ByteBuffer copy = Images.bytes(5 << 20, 1);

    try (BlockBackend disk = BlockLayer.open(options(image))) {
      disk.write(0, bytes);
      assertThat(bytes.flip()).isEqualTo(copy);
      disk.write(4096, bytes); // over what is there
      assertThat(bytes.flip()).isEqualTo(copy);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {LUKS, "encrypt.format=aes"})
  void withoutAKeyThereIsOneClearError(String options) throws IOException {
    QemuImg.createEncrypted(image, "1M", options);

    String expected = "image \"" + image + "\" is encrypted (";
    assertFails(
        () -> BlockLayer.open(OpenOptions.of("" + image)), BlockError.ACCESS_DENIED, expected);
  }

  @Test
  void aWrongKeyIsOneClearErrorThatDoesNotSayIt() throws IOException {
    QemuImg.createEncrypted(image, "1M", LUKS);
    byte[] wrong = "hunter2".getBytes(StandardCharsets.US_ASCII);

    assertThatThrownBy(() -> BlockLayer.open(options(image).withKeys(name -> wrong)))
        .isInstanceOf(BlockException.class)
        .hasMessage(
            "image \""
                + image
                + "\": wrong key: the passphrase opens none of the 1 active LUKS key slots")
        .hasNoCause();
    assertThat(wrong).containsOnly(0);
  }

  @Test
  void lockedImagesShowTheirShapeAndNoData() throws IOException {
    QemuImg.createEncrypted(image, "1M", LUKS);
    QemuImg.ioEncrypted(image, "write -P 7 0 65536");
    OpenOptions locked = options(image).withKeys(KeySource.LOCKED);

    try (BlockBackend disk = BlockLayer.open(locked)) {
      assertThat(disk.length()).isEqualTo(LENGTH);
      assertThat(disk.extentAt(0, LENGTH).kind()).isEqualTo(Extent.Kind.DATA);
      assertFails(
          () -> disk.read(0, ByteBuffer.allocateDirect(512)),
          BlockError.ACCESS_DENIED,
          image + ": the image is encrypted and was opened without its key");
      assertFails(
          () -> disk.write(LENGTH / 2, Images.bytes(512, 1)),
          BlockError.ACCESS_DENIED,
          "opened without its key");
    }
    QemuImg.requireClean(image, "locked");
  }

  @Test
  void extentsHaveNoPlaceInTheFile() throws IOException {
    QemuImg.createEncrypted(image, "1M", LUKS);
    QemuImg.ioEncrypted(image, "write -P 7 0 65536");

    try (BlockBackend disk = BlockLayer.open(options(image))) {
      assertThat(disk.extentAt(0, LENGTH).hostOffset()).isEqualTo(Extent.NO_HOST_OFFSET);
      assertThatThrownBy(disk::lendFile).hasMessageContaining("its format is qcow2");
    }
  }

  @Test
  void anotherEncryptionThanWantedIsRefused() throws IOException {
    QemuImg.createEncrypted(image, "1M", LUKS);
    Map<String, String> wanted =
        Map.of("driver", "qcow2", "file.filename", image.toString(), "encrypt.format", "aes");

    assertFails(
        () -> BlockLayer.open(OpenOptions.ofImageOptions(wanted).withKeys(TestKey.SOURCE)),
        BlockError.INVALID,
        "encrypt.format=aes, but its encryption is luks");
  }
}
