// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.crypto;

import static io.blkmount.block.crypto.LuksHeaders.SLOW_MACHINE;
import static io.blkmount.block.crypto.LuksHeaders.utf8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.blkmount.block.testing.DiskModel;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Headers and sectors that QEMU wrote are read here, and those written here are read there. */
final class LuksInteropTest {
  private static final byte[] PASSPHRASE = utf8("Paßwort, with a comma");
  private static final byte[] OTHER = utf8("another");
  private static final int DISK_LENGTH = 1 << 20;

  @TempDir private Path folder;

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "cipher-alg=aes-128,cipher-mode=xts,ivgen-alg=plain,hash-alg=sha1",
        "cipher-alg=aes-128,cipher-mode=cbc,ivgen-alg=essiv,ivgen-hash-alg=sha256,hash-alg=sha512",
        "cipher-alg=aes-192,cipher-mode=xts,ivgen-alg=plain64,hash-alg=sha224",
        "cipher-alg=aes-256,cipher-mode=cbc,ivgen-alg=essiv,ivgen-hash-alg=sha256,hash-alg=sha384",
        "cipher-alg=aes-256,cipher-mode=cbc,ivgen-alg=essiv,ivgen-hash-alg=md5,hash-alg=sha256",
        "cipher-alg=aes-256,cipher-mode=xts,ivgen-alg=essiv,ivgen-hash-alg=sha256,hash-alg=sha1",
        "cipher-alg=aes-128,cipher-mode=ctr,ivgen-alg=plain64,hash-alg=md5",
        "cipher-alg=aes-256,cipher-mode=ecb,ivgen-alg=plain64,hash-alg=sha256",
        "cipher-alg=serpent-128,cipher-mode=cbc,ivgen-alg=essiv,ivgen-hash-alg=sha256,"
            + "hash-alg=ripemd160",
        "cipher-alg=twofish-192,cipher-mode=xts,ivgen-alg=plain,hash-alg=sha1",
        "cipher-alg=cast5-128,cipher-mode=ctr,ivgen-alg=essiv,ivgen-hash-alg=md5",
      })
  void whatQemuEncryptedIsDecrypted(String options) throws IOException {
    Path file = folder.resolve("disk.luks");
    QemuLuks qemu = new QemuLuks(folder);
    qemu.createBare(file, options, PASSPHRASE);
    qemu.io(QemuLuks.bare(file), PASSPHRASE, "write -P 0x5a 0 64k", "write -P 0x17 900k 124k");

    byte[] disk = decrypted(file, PASSPHRASE);

    assertThat(disk).hasSize(DISK_LENGTH).isEqualTo(qemu.content(QemuLuks.bare(file), PASSPHRASE));
    assertThat(Arrays.copyOf(disk, 65536)).containsOnly(0x5a);
    assertThat(Arrays.copyOfRange(disk, 900 << 10, DISK_LENGTH)).containsOnly(0x17);
  }

  private static byte[] decrypted(Path file, byte[] passphrase) throws IOException {
    try (FileArea area = new FileArea(file, 0, Files.size(file))) {
      LuksKeyArea keys = LuksKeyArea.open("disk", area);
      int payload = (int) keys.header().payloadOffset();
      ByteBuffer disk = ByteBuffer.wrap(area.bytes(payload, (int) (area.length() - payload)));
      try (LuksKeyArea.Unlocked unlocked = keys.unlock(passphrase);
          SectorCipher cipher = SectorCipher.of(keys.header().cipher(), unlocked.masterKey())) {
        cipher.decrypt(0, disk);
      }
      return disk.array();
    }
  }

  @ParameterizedTest
  @CsvSource({
    "aes, xts-plain64, 64, SHA256",
    "aes, xts-plain64, 32, SHA1",
    "aes, cbc-essiv:sha256, 16, SHA512",
    "aes, xts-plain64, 48, SHA224",
    "aes, ctr-plain64, 32, MD5",
    "aes, ecb-plain, 32, SHA384",
    "serpent, xts-plain64, 64, RIPEMD160",
    "serpent, xts-plain, 48, SHA256",
    "serpent, ctr-essiv:sha256, 32, SHA256",
    "twofish, xts-essiv:sha256, 32, SHA1",
    "twofish, ecb-plain64, 32, SHA256",
    "twofish, cbc-plain64, 16, RIPEMD160",
    "cast5, cbc-essiv:md5, 16, SHA256",
    "cast5, ecb-plain, 16, SHA256",
    "cast5, ctr-plain64, 16, RIPEMD160",
  })
  void whatWasEncryptedHereQemuDecrypts(
      String cipher, String mode, int keyLength, HashAlgorithm hash) throws IOException {
    LuksOptions options = new LuksOptions(CipherSpec.named(cipher, mode, keyLength), hash, 10);
    byte[] disk = DiskModel.pattern(DISK_LENGTH, keyLength);
    Path file = folder.resolve("disk.luks");

    createHere(file, options, disk);

    assertThat(new QemuLuks(folder).content(QemuLuks.bare(file), PASSPHRASE)).isEqualTo(disk);
  }

  private static void createHere(Path file, LuksOptions options, byte[] disk) throws IOException {
    long length = LuksCreator.lengthFor(options);
    try (FileArea area = new FileArea(file, 0, length + disk.length);
        SecretBytes masterKey =
            SecretBytes.random(options.cipher().keyLength(), new SecureRandom());
        SectorCipher cipher = SectorCipher.of(options.cipher(), masterKey)) {
      LuksKeyArea keys = LuksCreator.create("disk", area, options, masterKey, SLOW_MACHINE);
      keys.add(masterKey, PASSPHRASE, 10, SLOW_MACHINE);
      ByteBuffer sectors = ByteBuffer.wrap(disk.clone());
      cipher.encrypt(0, sectors);
      area.write(length, sectors.flip());
    }
  }

  @Test
  void passphrasesAddedAndErasedHereAreSoThere() throws IOException {
    Path file = folder.resolve("disk.luks");
    QemuLuks qemu = new QemuLuks(folder);
    qemu.createBare(file, "", PASSPHRASE);

    try (FileArea area = new FileArea(file, 0, Files.size(file))) {
      LuksKeyArea keys = LuksKeyArea.open("disk", area);
      try (LuksKeyArea.Unlocked unlocked = keys.unlock(PASSPHRASE)) {
        assertThat(keys.add(unlocked.masterKey(), OTHER, 10, SLOW_MACHINE)).isEqualTo(1);
      }
      assertThat(qemu.opens(QemuLuks.bare(file), PASSPHRASE)).isTrue();
      assertThat(qemu.opens(QemuLuks.bare(file), OTHER)).isTrue();
      keys.erase(0);
    }

    assertThat(qemu.opens(QemuLuks.bare(file), PASSPHRASE)).isFalse();
    assertThat(qemu.opens(QemuLuks.bare(file), OTHER)).isTrue();
  }

  @Test
  void passphrasesAddedAndErasedThereAreSoHere() throws IOException {
    Path file = folder.resolve("disk.luks");
    QemuLuks qemu = new QemuLuks(folder);
    qemu.createBare(file, "", PASSPHRASE);

    qemu.addKey(file, PASSPHRASE, OTHER);
    assertThat(decrypted(file, OTHER)).isEqualTo(decrypted(file, PASSPHRASE));
    qemu.eraseKey(file, OTHER, PASSPHRASE);

    assertThat(decrypted(file, OTHER)).hasSize(DISK_LENGTH);
    assertThatThrownBy(() -> decrypted(file, PASSPHRASE)).hasMessageContaining("wrong key");
  }
}
