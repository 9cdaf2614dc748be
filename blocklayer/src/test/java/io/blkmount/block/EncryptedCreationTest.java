// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.blkmount.block.backend.BlockBackend;
import io.blkmount.block.driver.BackingReference;
import io.blkmount.block.driver.CreateOptions;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import io.blkmount.block.open.ImageCreator;
import io.blkmount.block.open.ImageKeys;
import io.blkmount.block.open.OpenOptions;
import io.blkmount.block.testing.DiskModel;
import io.blkmount.block.testing.Images;
import io.blkmount.block.testing.QemuImg;
import io.blkmount.block.testing.TestKey;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Encrypted images made here are QEMU's; what cannot be made is refused before anything is. */
final class EncryptedCreationTest {
  private static final String LUKS = "encrypt.format=luks,encrypt.iter-time=10";
  private static final int LENGTH = 1 << 20;

  @TempDir Path folder;
  private Path image;

  @BeforeEach
  void nameImage() {
    image = folder.resolve("disk.qcow2");
  }

  private static CreateOptions options(String text) {
    Map<String, String> values = new HashMap<>();
    for (String pair : text.split(",", -1)) {
      int equals = pair.indexOf('=');
      values.put(pair.substring(0, equals), pair.substring(equals + 1));
    }
    return new CreateOptions(LENGTH, null, values).withKeys(TestKey.SOURCE);
  }

  private void create(CreateOptions options) throws IOException {
    BlockLayer.create(image.toString(), "qcow2", options);
  }

  private OpenOptions opening() {
    return OpenOptions.of(image.toString()).withKeys(TestKey.SOURCE);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        LUKS,
        "encrypt.format=aes",
        "encrypt.format=aes,compat=0.10,cluster_size=512",
        LUKS + ",compat=0.10,cluster_size=512",
        LUKS
            + ",cluster_size=2M,refcount_bits=64,encrypt.cipher-alg=aes-128,encrypt.cipher-mode=cbc"
            + ",encrypt.ivgen-alg=essiv,encrypt.ivgen-hash-alg=sha256,encrypt.hash-alg=sha1",
        LUKS
            + ",cluster_size=4k,refcount_bits=1,encrypt.cipher-alg=aes-192,encrypt.cipher-mode=xts"
            + ",encrypt.ivgen-alg=plain,encrypt.hash-alg=sha512",
        LUKS + ",encrypt.cipher-alg=aes-256,encrypt.cipher-mode=ctr,encrypt.hash-alg=sha224",
        LUKS + ",encrypt.cipher-mode=ecb,encrypt.ivgen-alg=essiv,encrypt.hash-alg=sha384",
        LUKS + ",encrypt.cipher-alg=serpent-256,encrypt.hash-alg=ripemd160",
        LUKS
            + ",encrypt.cipher-alg=twofish-128,encrypt.cipher-mode=cbc,encrypt.ivgen-alg=essiv"
            + ",extended_l2=on",
        LUKS + ",encrypt.cipher-alg=cast5-128,encrypt.cipher-mode=cbc,compat=0.10",
      })
  void qemuTakesThemForItsOwn(String options) throws IOException {
    create(options(options));
    QemuImg.requireClean(image, options);
    DiskModel model = new DiskModel(LENGTH);
    byte[] nines = new byte[200_000];
    Arrays.fill(nines, (byte) 9);

    QemuImg.ioEncrypted(image, "read -P 0 0 1M", "write -P 9 70000 200000");
    model.write(70_000, ByteBuffer.wrap(nines));
    ByteBuffer mine = Images.bytes(300_000, 1);
    model.write(200_000, mine.duplicate());
    try (BlockBackend disk = BlockLayer.open(opening())) {
      disk.write(200_000, mine);
    }

    QemuImg.requireClean(image, options);
    Path raw = Files.write(folder.resolve("raw"), model.bytes(0, LENGTH));
    QemuImg.requireSame(image, raw, options);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "encrypt.format=zip | qcow2 option encrypt.format: zip is neither luks nor aes",
        "encrypt.format=luks,encrypt.cipher-alg=3des | algorithm \"3des\" is not supported",
        "encrypt.format=luks,encrypt.cipher-alg=aes-512 | algorithm \"aes-512\" is not supported",
        "encrypt.format=luks,encrypt.cipher-alg=cast5-128 | the mode needs 16",
        "encrypt.format=luks,encrypt.cipher-mode=gcm | mode \"gcm\" is not supported",
        "encrypt.format=luks,encrypt.hash-alg=tiger | algorithm \"tiger\"",
        "encrypt.format=luks,encrypt.ivgen-alg=benbi | IV generator \"benbi\"",
        "encrypt.format=luks,encrypt.ivgen-hash-alg=sha1 | ivgen-hash-alg: plain64 takes none",
        "encrypt.format=luks,encrypt.iter-time=0 | iter-time: 0 is no number of milliseconds",
        "encrypt.format=luks,encrypt.key-secret=s | the key is given in another way",
        "encrypt.format=luks,encrypt.color=red | encrypt.color: it belongs to another",
        "encrypt.format=aes,encrypt.hash-alg=sha1 | hash-alg: it belongs to another encrypt.format",
        "encrypt.hash-alg=sha1 | encrypt.hash-alg: it belongs to another encrypt.format",
        "encryption=on | encryption: on is not off; say encrypt.format=luks",
        "encrypt.format=luks,encrypt.cipher-alg=aes-192,encrypt.cipher-mode=cbc | QEMU cannot open",
        "encrypt.format=luks,encrypt.cipher-alg=twofish-192,encrypt.cipher-mode=ctr | with twofish",
        "encrypt.format=luks,data_file=d,data_file_raw=on | what is encrypted cannot be read as",
      })
  void whatCannotBeMadeIsRefused(String options, String message) {
    assertThatThrownBy(() -> create(options(options)))
        .isInstanceOf(BlockException.class)
        .hasMessageContaining(message);
    assertThat(image).doesNotExist();
  }

  @ParameterizedTest
  @ValueSource(strings = {LUKS, "encrypt.format=aes"})
  void noKeyNoImage(String options) throws IOException {
    CreateOptions keyless = options(options);
    CreateOptions withoutKey = new CreateOptions(LENGTH, null, keyless.values());

    assertThatThrownBy(() -> create(withoutKey))
        .isInstanceOfSatisfying(
            BlockException.class, e -> assertThat(e.error()).isEqualTo(BlockError.ACCESS_DENIED))
        .hasMessageContaining("a key is needed to encrypt it");
    assertThat(image).doesNotExist();
  }

  /** Only the length of the backing file is looked at. */
  @Test
  void overlaysOfEncryptedImagesAreMadeWithoutTheirKey() throws IOException {
    Path base = folder.resolve("base.qcow2");
    BlockLayer.create(base.toString(), "qcow2", options(LUKS));
    CreateOptions plain =
        new CreateOptions(
            ImageCreator.LENGTH_OF_BACKING, new BackingReference("base.qcow2", "qcow2"), Map.of());

    create(plain);

    try (BlockBackend disk = BlockLayer.open(opening())) {
      assertThat(disk.length()).isEqualTo(LENGTH);
    }
  }

  @Test
  void keysOfAClosedImageAreAddedAndErased() throws IOException {
    create(options(LUKS));
    byte[] other = "other".getBytes(StandardCharsets.US_ASCII);
    ImageKeys keys = ImageKeys.of(image.toString(), null);

    try (BlockBackend disk = BlockLayer.open(opening())) {
      assertThat(disk.writable()).isTrue();
      assertThatThrownBy(() -> keys.add(TestKey.bytes(), other, 1))
          .isInstanceOfSatisfying(
              BlockException.class, e -> assertThat(e.error()).isEqualTo(BlockError.LOCKED));
    }
    assertThat(keys.add(TestKey.bytes(), other, 1)).isEqualTo(1);
    keys.erase(TestKey.bytes());

    assertThat(keys.activeSlots()).containsExactly(1);
    BlockLayer.open(opening().withKeys(name -> other.clone())).close();
    assertThatThrownBy(() -> BlockLayer.open(opening())).hasMessageContaining("wrong key");
    assertThatThrownBy(() -> keys.eraseSlot(1)).hasMessageContaining("the last active one");
  }
}
