// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.crypto;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.HexFormat;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class LuksHeaderTest {
  private static final long AREA = LuksHeader.areaLength(64);

  @Test
  void isLaidOutAsQemuDoes() {
    LuksHeader header = LuksHeaders.header();

    assertThat(header.payloadOffset()).isEqualTo(0x1f9000);
    assertThat(header.slots()).extracting(LuksKeySlot::materialSector).contains(8L, 512L, 3536L);
    assertThat(AREA).isEqualTo(0x1f9000);
  }

  @Test
  void isReadAsItWasWritten() throws IOException {
    LuksHeader header =
        LuksHeaders.header()
            .withSlot(6, LuksKeySlot.free(3032).activated(12345, FixedBytes.copyOf(new byte[32])));

    LuksHeader read = LuksHeader.parse("disk", header.encoded(), AREA);

    assertThat(read).isEqualTo(header);
    assertThat(read.activeSlotCount()).isEqualTo(1);
    assertThat(read.cipher()).isEqualTo(CipherSpec.DEFAULT);
    assertThat(read.hash()).isEqualTo(HashAlgorithm.SHA256);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "8|00|cipher-name: it is empty",
        "8|1b|cipher-name: byte 0 is 1b hex, no plain letter",
        "72|ff|hash-spec: byte 0 is ff hex, no plain letter",
        "168|2020|uuid: byte 0 is 20 hex, no plain letter",
        "40|4141414141414141414141414141414141414141414141414141414141414141"
            + "|cipher-mode: no NUL in its 32 bytes",
        "108|00000000|key-bytes: 0 is not in 8..64",
        "108|00000041|key-bytes: 65 is not in 8..64",
        "108|ffffffff|key-bytes: 4294967295 is not in 8..64",
        "164|00000000|mk-digest-iter: 0 is not in 1..100000000",
        "164|ffffffff|mk-digest-iter: 4294967295 is not in 1..100000000",
        "208|00000001|key-slot-0 active: 0x1 means neither active nor inactive",
        "208|00ac71f300000000|key-slot-0 iterations: 0 is not in 1..100000000",
        "544|00ac71f380000000|key-slot-7 iterations: 2147483648 is not in 1..100000000",
        "252|00000fa1|key-slot-0 stripes: 4001 is not in 4000..4000",
        "252|00000000|key-slot-0 stripes: 0 is not in 4000..4000",
        "588|ffffffff|key-slot-7 stripes: 4294967295 is not in 4000..4000",
        "248|00000001|key-slot-0 key-material-offset: it is inside the header's 592 bytes",
        "248|ffffffff|key-slot-0 key-material-offset: it ends at byte 2199023511040, behind the"
            + " start of the disk, 2068480",
        "296|00000008|key-slot-1 key-material-offset: its key material overlaps that of key slot 0",
        "584|00000bd9|key-slot-7 key-material-offset: its key material overlaps that of key slot 6",
        "104|00000001|key-slot-0 key-material-offset: it ends at byte 260096, behind the start of"
            + " the disk, 512",
      })
  void refusesAFieldThatBreaksItsRule(int offset, String hex, String problem) {
    ByteBuffer bytes = LuksHeaders.header().encoded().put(offset, HexFormat.of().parseHex(hex));

    assertThatThrownBy(() -> LuksHeader.parse("di\nsk", bytes, AREA))
        .isInstanceOf(BlockException.class)
        .hasMessage("image \"di\\x0ask\": LUKS header field " + problem);
  }

  @Test
  void refusesKeyMaterialBehindTheEnd() {
    assertThatThrownBy(() -> LuksHeader.parse("disk", LuksHeaders.header().encoded(), 1 << 20))
        .hasMessage(
            "image \"disk\": LUKS header field key-slot-4 key-material-offset: it ends at byte"
                + " 1292288, behind the end of the area, 1048576");
  }

  @Test
  void takesAHeaderApartFromItsDisk() throws IOException {
    ByteBuffer bytes = LuksHeaders.header().encoded().putInt(LuksHeader.PAYLOAD_AT, 0);

    assertThat(LuksHeader.parse("disk", bytes, AREA).payloadOffset()).isZero();
  }

  @Test
  void refusesWhatIsNoHeader() {
    ByteBuffer bytes = ByteBuffer.allocate(LuksHeader.LENGTH);

    assertThatThrownBy(() -> LuksHeader.parse("disk", bytes, AREA))
        .hasMessage("image \"disk\": not a LUKS header: no LUKS magic at its start")
        .extracting(e -> BlockException.errorOf((IOException) e))
        .isEqualTo(BlockError.INVALID);
    assertThatThrownBy(() -> LuksHeader.parse("disk", ByteBuffer.allocate(0), AREA))
        .hasMessageContaining("not a LUKS header");
  }

  @Test
  void refusesHalfAHeader() {
    ByteBuffer bytes = LuksHeaders.header().encoded().limit(300);

    assertThatThrownBy(() -> LuksHeader.parse("disk", bytes, AREA))
        .hasMessage("image \"disk\": truncated LUKS header: 300 of 592 bytes");
  }

  @Test
  void refusesAnotherVersion() {
    ByteBuffer bytes = LuksHeaders.header().encoded().putShort(LuksHeader.VERSION_AT, (short) 2);

    assertThatThrownBy(() -> LuksHeader.parse("disk", bytes, AREA))
        .hasMessage("image \"disk\": LUKS header field version: 2 is not supported, only 1 is")
        .extracting(e -> BlockException.errorOf((IOException) e))
        .isEqualTo(BlockError.NOT_SUPPORTED);
  }
}
