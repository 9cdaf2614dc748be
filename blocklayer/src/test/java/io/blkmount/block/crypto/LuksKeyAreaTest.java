// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.crypto;

import static io.blkmount.block.crypto.LuksHeaders.OPTIONS;
import static io.blkmount.block.crypto.LuksHeaders.SLOW_MACHINE;
import static io.blkmount.block.crypto.LuksHeaders.utf8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.blkmount.block.bytes.ByteRange;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import java.io.IOException;
import java.nio.ByteBuffer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class LuksKeyAreaTest {
  private static final byte[] FIRST = utf8("first");
  private static final byte[] SECOND = utf8("second");

  private final MemoryArea area = new MemoryArea(LuksCreator.lengthFor(OPTIONS));
  private final SecretBytes masterKey = LuksHeaders.key(64, 1);

  private LuksKeyArea created(byte[]... passphrases) throws IOException {
    LuksKeyArea keys = LuksCreator.create("disk", area, OPTIONS, masterKey, SLOW_MACHINE);
    for (byte[] passphrase : passphrases) {
      keys.add(masterKey, passphrase, 10, SLOW_MACHINE);
    }
    return keys;
  }

  private static int slotOf(HeaderArea area, byte[] passphrase) throws IOException {
    try (LuksKeyArea.Unlocked unlocked = LuksKeyArea.open("disk", area).unlock(passphrase)) {
      assertThat(unlocked.masterKey().bytes()).isEqualTo(LuksHeaders.key(64, 1).bytes());
      return unlocked.slotIndex();
    }
  }

  private static boolean opens(HeaderArea area, byte[] passphrase) throws IOException {
    try {
      slotOf(area, passphrase);
      return true;
    } catch (BlockException e) {
      assertThat(e.error()).isEqualTo(BlockError.ACCESS_DENIED);
      return false;
    }
  }

  @Test
  void eachPassphraseOpensItsSlot() throws IOException {
    created(FIRST, SECOND);

    assertThat(slotOf(area, FIRST)).isZero();
    assertThat(slotOf(area, SECOND)).isEqualTo(1);
  }

  @Test
  void everyByteOfAPassphraseCounts() throws IOException {
    created(new byte[] {(byte) 0xff, 0, (byte) 0xc3}, new byte[0]);

    assertThat(slotOf(area, new byte[] {(byte) 0xff, 0, (byte) 0xc3})).isZero();
    assertThat(slotOf(area, new byte[0])).isEqualTo(1);
    assertThat(opens(area, new byte[] {(byte) 0xff, 0, (byte) 0xc4})).isFalse();
  }

  @Test
  void wrongKeyIsOneClearError() throws IOException {
    LuksKeyArea keys = created(FIRST, SECOND);

    assertThatThrownBy(() -> keys.unlock(utf8("third")))
        .hasMessage(
            "image \"disk\": wrong key: the passphrase opens none of the 2 active LUKS key slots")
        .extracting(e -> BlockException.errorOf((IOException) e))
        .isEqualTo(BlockError.ACCESS_DENIED);
  }

  @Test
  void erasingOverwritesTheKeyMaterial() throws IOException {
    LuksKeyArea keys = created(FIRST, SECOND);
    ByteRange material = keys.header().slots().get(0).material(64);
    byte[] record = area.bytes(LuksHeader.slotOffset(0), LuksKeySlot.LENGTH);
    byte[] before = area.bytes(material.offset(), material.length());

    keys.erase(0);

    byte[] after = area.bytes(material.offset(), material.length());
    for (int at = 0; at < before.length; at += 64) {
      assertThat(ByteBuffer.wrap(after, at, 64)).isNotEqualTo(ByteBuffer.wrap(before, at, 64));
    }
    assertThat(opens(area, FIRST)).isFalse();
    assertThat(slotOf(area, SECOND)).isEqualTo(1);
    area.write(LuksHeader.slotOffset(0), ByteBuffer.wrap(record)); // an old copy of the record
    assertThat(opens(area, FIRST)).isFalse();
  }

  @Test
  void anErasedSlotIsUsedAgain() throws IOException {
    LuksKeyArea keys = created(FIRST, SECOND);

    keys.erase(0);

    assertThat(keys.add(masterKey, utf8("third"), 10, SLOW_MACHINE)).isZero();
    assertThat(slotOf(area, utf8("third"))).isZero();
    assertThat(LuksKeyArea.open("disk", area).header()).isEqualTo(keys.header());
  }

  @Test
  void theLastPassphraseStays() throws IOException {
    LuksKeyArea keys = created(FIRST);

    assertThatThrownBy(() -> keys.erase(0))
        .hasMessage(
            "image \"disk\": LUKS key slot 0 is the last active one; without it nothing opens the"
                + " image");
    assertThatThrownBy(() -> keys.erase(1))
        .hasMessage("image \"disk\": LUKS key slot 1 is not active");
    assertThat(slotOf(area, FIRST)).isZero();
  }

  @Test
  void aNinthPassphraseIsRefused() throws IOException {
    LuksKeyArea keys = created(FIRST, FIRST, FIRST, FIRST, FIRST, FIRST, FIRST, SECOND);

    assertThat(slotOf(area, SECOND)).isEqualTo(7);
    assertThatThrownBy(() -> keys.add(masterKey, FIRST, 10, SLOW_MACHINE))
        .hasMessage("image \"disk\": all 8 LUKS key slots are active; erase one first")
        .extracting(e -> BlockException.errorOf((IOException) e))
        .isEqualTo(BlockError.NO_SPACE);
  }

  @Test
  void anotherMasterKeyIsNotAdded() throws IOException {
    LuksKeyArea keys = created(FIRST);

    assertThatThrownBy(() -> keys.add(LuksHeaders.key(64, 2), SECOND, 10, SLOW_MACHINE))
        .isInstanceOf(IllegalArgumentException.class);
  }

  /** Fails each write and flush of adding a passphrase, the write half done. */
  @Test
  void failedAddingKeepsTheOtherPassphrase() throws IOException {
    created(FIRST);
    for (int n = 0; ; n++) {
      MemoryArea failing = area.copyFailingAt(n);
      try {
        LuksKeyArea.open("disk", failing).add(masterKey, SECOND, 10, SLOW_MACHINE);
      } catch (IOException expected) {
        // the point of the test
      }
      assertThat(slotOf(failing, FIRST)).as("failure at %d", n).isZero();
      if (!failing.tripped()) {
        assertThat(slotOf(failing, SECOND)).isEqualTo(1);
        return; // every point was swept
      }
    }
  }

  /** Fails each write and flush of erasing a passphrase, the write half done. */
  @Test
  void failedErasingKeepsTheOtherPassphraseOnly() throws IOException {
    created(FIRST, SECOND);
    for (int n = 0; ; n++) {
      MemoryArea failing = area.copyFailingAt(n);
      try {
        LuksKeyArea.open("disk", failing).erase(0);
      } catch (IOException expected) {
        // the point of the test
      }
      assertThat(slotOf(failing, SECOND)).as("failure at %d", n).isEqualTo(1);
      assertThat(opens(failing, FIRST)).as("failure at %d", n).isFalse();
      if (!failing.tripped()) {
        return; // every point was swept
      }
    }
  }

  @Test
  void headersThatQemuCannotOpenAreNotMade() throws IOException {
    LuksOptions options =
        new LuksOptions(CipherSpec.named("aes", "cbc-plain64", 24), HashAlgorithm.SHA256, 10);

    assertThatThrownBy(
            () -> LuksCreator.create("disk", area, options, LuksHeaders.key(24, 1), SLOW_MACHINE))
        .hasMessage(
            "image \"disk\": LUKS with aes in mode cbc-plain64 and a key of 24 bytes is not"
                + " created: QEMU cannot open it")
        .extracting(e -> BlockException.errorOf((IOException) e))
        .isEqualTo(BlockError.NOT_SUPPORTED);
  }

  @ParameterizedTest
  @CsvSource({
    "8, camellia, 'cipher algorithm \"camellia\" is not supported'",
    "40, xts-essiv:tiger, 'hash algorithm \"tiger\" is not supported'",
    "72, whirlpool, 'hash algorithm \"whirlpool\" is not supported'",
  })
  void namesWhatItDoesNotSupport(int offset, String name, String problem) throws IOException {
    created(FIRST);
    byte[] text = new byte[32];
    System.arraycopy(utf8(name), 0, text, 0, name.length());
    area.write(offset, ByteBuffer.wrap(text));

    assertThatThrownBy(() -> LuksKeyArea.open("disk", area))
        .hasMessage("image \"disk\": LUKS header: " + problem)
        .extracting(e -> BlockException.errorOf((IOException) e))
        .isEqualTo(BlockError.NOT_SUPPORTED);
  }
}
