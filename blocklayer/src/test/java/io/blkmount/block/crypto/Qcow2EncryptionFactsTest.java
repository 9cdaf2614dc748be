// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.crypto;

import static io.blkmount.block.crypto.LuksHeaders.utf8;
import static io.blkmount.block.crypto.SectorCipher.SECTOR_SIZE;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** How QEMU uses these ciphers in qcow2 images: where keys lie and how sectors are numbered. */
final class Qcow2EncryptionFactsTest {
  private static final byte[] PASSPHRASE = utf8("a longer passphrase than sixteen");
  private static final int CLUSTER = 65536;
  private static final int GUEST_OFFSET = 3 * CLUSTER;
  private static final int CRYPTO_HEADER = 0x0537be77;
  private static final long OFFSET_BITS = 0x00ff_ffff_ffff_fe00L;

  @TempDir private Path folder;

  private ByteBuffer imageWith(String options) throws IOException {
    Path file = folder.resolve("disk.qcow2");
    QemuLuks qemu = new QemuLuks(folder);
    qemu.createQcow2(file, options, PASSPHRASE);
    qemu.io(QemuLuks.qcow2(file), PASSPHRASE, "write -P 0x5a " + GUEST_OFFSET + " 64k");
    return ByteBuffer.wrap(Files.readAllBytes(file));
  }

  private static long hostOffset(ByteBuffer image) {
    long l2Offset = image.getLong((int) image.getLong(40)) & OFFSET_BITS;
    return image.getLong((int) l2Offset + GUEST_OFFSET / CLUSTER * Long.BYTES) & OFFSET_BITS;
  }

  private static ByteBuffer cluster(ByteBuffer image, long hostOffset) {
    return image.slice((int) hostOffset, CLUSTER);
  }

  private static void assertFilledWith5a(ByteBuffer cluster) {
    for (int i = 0; i < CLUSTER; i++) {
      assertThat(cluster.get(i)).as("byte %d", i).isEqualTo((byte) 0x5a);
    }
  }

  @Test
  void luksNumbersSectorsByTheirPlaceInTheFile() throws IOException {
    ByteBuffer image = imageWith("encrypt.format=luks,encrypt.iter-time=10");
    int extension = image.getInt(100);
    while (image.getInt(extension) != CRYPTO_HEADER) {
      extension += 8 + ((image.getInt(extension + 4) + 7) & ~7);
    }
    long headerOffset = image.getLong(extension + 8);
    long headerLength = image.getLong(extension + 16);
    ByteBuffer cluster = cluster(image, hostOffset(image));

    try (FileArea area = new FileArea(folder.resolve("disk.qcow2"), headerOffset, headerLength)) {
      LuksKeyArea keys = LuksKeyArea.open("disk", area);
      try (LuksKeyArea.Unlocked unlocked = keys.unlock(PASSPHRASE);
          SectorCipher cipher = SectorCipher.of(keys.header().cipher(), unlocked.masterKey())) {
        cipher.decrypt(hostOffset(image) / SECTOR_SIZE, cluster);
      }
    }

    assertThat(headerLength).isEqualTo(0x1f9000);
    assertFilledWith5a(cluster);
  }

  @Test
  void legacyEncryptionNumbersSectorsByTheirPlaceOnTheDisk() throws IOException {
    ByteBuffer image = imageWith("encrypt.format=aes");
    ByteBuffer cluster = cluster(image, hostOffset(image));

    try (SecretBytes key = LegacyKey.of(PASSPHRASE);
        SectorCipher cipher = SectorCipher.of(CipherSpec.LEGACY_QCOW2, key)) {
      cipher.decrypt(GUEST_OFFSET / SECTOR_SIZE, cluster);
    }

    assertFilledWith5a(cluster);
  }
}
