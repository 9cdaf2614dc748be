// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.blkmount.block.driver.DriverInstance;
import io.blkmount.block.driver.DriverOptions;
import io.blkmount.block.driver.Encrypted;
import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import io.blkmount.block.testing.Images;
import io.blkmount.block.testing.MemoryChild;
import io.blkmount.block.testing.MemoryInstance;
import io.blkmount.block.testing.PagedBytes;
import io.blkmount.block.testing.QemuImg;
import io.blkmount.block.testing.TestKey;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Keys are added and erased, here and for QEMU. */
final class Qcow2KeysTest {
  private static final String NAME = "disk.qcow2";
  private static final long MILLIS = 1;
  private static final byte[] SECOND = "second".getBytes(StandardCharsets.US_ASCII);
  private static final byte[] THIRD = "third".getBytes(StandardCharsets.US_ASCII);

  private final Encrypted driver = new Qcow2Driver();
  private final MemoryInstance host = MemoryInstance.file(shape().create(), 1);
  private final MemoryChild file = new MemoryChild(host);

  @TempDir Path folder;

  private static ImageShape shape() {
    return ImageShape.of(4096, 1 << 20).withEncryption("luks");
  }

  private static boolean opens(PagedBytes image, byte[] key) {
    DriverOptions options = new DriverOptions(NAME, false, Map.of(), name -> key.clone());
    MemoryChild copy = new MemoryChild(MemoryInstance.file(image.copy(), 1));
    try (DriverInstance disk = new Qcow2Driver().open(options, copy.opener())) {
      return disk.length() > 0;
    } catch (BlockException e) {
      assertThat(e.error()).isEqualTo(BlockError.ACCESS_DENIED);
      return false;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Test
  void addedKeysOpenAndErasedOnesDoNot() throws IOException {
    assertThat(driver.addKey(NAME, file, TestKey.bytes(), SECOND, MILLIS)).isEqualTo(1);
    assertThat(driver.addKey(NAME, file, SECOND, THIRD, MILLIS)).isEqualTo(2);
    driver.eraseKey(NAME, file, SECOND);

    assertThat(driver.activeKeySlots(NAME, file)).containsExactly(0, 2);
    assertThat(opens(host.content(), TestKey.bytes())).isTrue();
    assertThat(opens(host.content(), SECOND)).isFalse();
    assertThat(opens(host.content(), THIRD)).isTrue();
    driver.eraseKeySlot(NAME, file, 2);
    assertThat(opens(host.content(), THIRD)).isFalse();
  }

  @Test
  void qemuSeesTheSame() throws IOException {
    driver.addKey(NAME, file, TestKey.bytes(), SECOND, MILLIS);
    driver.addKey(NAME, file, SECOND, TestKey.bytes(), MILLIS);
    driver.eraseKeySlot(NAME, file, 0);
    Path image = folder.resolve(NAME);
    Images.store(host.content(), image);

    QemuImg.requireClean(image, "keys changed");
    QemuImg.ioEncrypted(image, "write -P 3 0 64k", "read -P 3 0 64k");
    assertThat(opens(Images.load(image), SECOND)).isTrue();
  }

  @Test
  void whoeverSetUnknownAutoclearBitsSeesThatKeysHaveChanged() throws IOException {
    MemoryChild marked = new MemoryChild(host);
    ByteBuffer bits = ByteBuffer.allocate(8).putLong(0, 1L << 40 | FeatureBits.BITMAPS);
    marked.write(Qcow2Header.AUTOCLEAR_FEATURES_AT, bits.duplicate(), WriteFlags.NONE);

    assertThatThrownBy(() -> driver.eraseKeySlot(NAME, marked, 0)).isInstanceOf(IOException.class);
    assertThat(host.content().getLong(Qcow2Header.AUTOCLEAR_FEATURES_AT)).isEqualTo(bits.getLong());
    driver.addKey(NAME, marked, TestKey.bytes(), SECOND, MILLIS);

    assertThat(host.content().getLong(Qcow2Header.AUTOCLEAR_FEATURES_AT))
        .isEqualTo(FeatureBits.BITMAPS);
  }

  @Test
  void theLastKeyStays() throws IOException {
    byte[] before = host.content().bytes(0, (int) host.content().length());

    assertThatThrownBy(() -> driver.eraseKey(NAME, file, TestKey.bytes()))
        .hasMessage("image \"disk.qcow2\": no other key would be left to open it");
    assertThatThrownBy(() -> driver.eraseKeySlot(NAME, file, 0))
        .hasMessageContaining("is the last active one");
    assertThat(host.content().bytes(0, before.length)).isEqualTo(before);
  }

  @Test
  void aKeyInAllSlotsIsTheLastOneToo() throws IOException {
    driver.addKey(NAME, file, TestKey.bytes(), TestKey.bytes(), MILLIS);

    assertThatThrownBy(() -> driver.eraseKey(NAME, file, TestKey.bytes()))
        .hasMessageContaining("no other key would be left");
    assertThat(driver.activeKeySlots(NAME, file)).containsExactly(0, 1);
  }

  @Test
  void wrongKeysAndSlotsAreRefused() {
    assertThatThrownBy(() -> driver.addKey(NAME, file, SECOND, THIRD, MILLIS))
        .hasMessageContaining("wrong key");
    assertThatThrownBy(() -> driver.eraseKey(NAME, file, SECOND))
        .hasMessage("image \"disk.qcow2\": wrong key: it opens no LUKS key slot");
    for (int slot : new int[] {-1, 5, 8}) {
      assertThatThrownBy(() -> driver.eraseKeySlot(NAME, file, slot))
          .hasMessageContaining("LUKS key slot " + slot + " is not active");
    }
  }

  @Test
  void aDamagedImageIsRepairedFirst() throws IOException {
    new HeaderFields(file, 12).writeIncompatible(FeatureBits.CORRUPT);

    assertThatThrownBy(() -> driver.addKey(NAME, file, TestKey.bytes(), SECOND, MILLIS))
        .hasMessageContaining("it is marked corrupt: repair it first");
    assertThatThrownBy(() -> driver.eraseKey(NAME, file, TestKey.bytes()))
        .hasMessageContaining("it is marked corrupt");
    assertThatThrownBy(() -> driver.eraseKeySlot(NAME, file, 0))
        .hasMessageContaining("it is marked corrupt");
    assertThat(driver.activeKeySlots(NAME, file)).containsExactly(0);
  }

  @Test
  void anImageWithoutSlotsSaysSo() {
    PagedBytes plain = ImageShape.of(4096, 1 << 20).create();
    MemoryChild child = new MemoryChild(MemoryInstance.file(plain, 1));

    assertThatThrownBy(() -> driver.activeKeySlots(NAME, child))
        .hasMessage("image \"disk.qcow2\" has no key slots: it is not encrypted with LUKS");
  }
}
