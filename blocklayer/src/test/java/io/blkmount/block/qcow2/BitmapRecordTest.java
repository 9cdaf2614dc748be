// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.blkmount.block.error.CorruptImageException;
import java.nio.ByteBuffer;
import java.util.HexFormat;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Records of the bitmap directory, byte for byte. */
final class BitmapRecordTest {
  private static final int CLUSTER = 65536;
  private static final HeaderRules RULES = HeaderRules.forBitmap("x.qcow2", 3);

  /** Table at 0x60000 with one entry, in use, recording, granules of 64 KiB, name "day1". */
  private static final String PLAIN =
      "0000000000060000" + "00000001" + "00000003" + "01100004" + "00000000" + "6461793100000000";

  private static final String WITH_EXTRA =
      "0000000000060000"
          + "00000001"
          + "00000004"
          + "011f0001"
          + "00000003"
          + "abcdef"
          + "4100000000";

  @ParameterizedTest
  @ValueSource(strings = {PLAIN, WITH_EXTRA})
  void recordsAreWrittenAsTheyWereRead(String hex) throws CorruptImageException {
    BitmapRecord record = parse(hex);

    ByteBuffer written = ByteBuffer.allocate(record.encodedLength());
    record.encode(written);
    assertThat(written.remaining()).isZero();
    assertThat(HexFormat.of().formatHex(written.array())).isEqualTo(hex);
  }

  @Test
  void fields() throws CorruptImageException {
    BitmapRecord record = parse(PLAIN);

    assertThat(record.tableOffset()).isEqualTo(0x60000);
    assertThat(record.tableByteCount()).isEqualTo(8);
    assertThat(record.isInUse()).isTrue();
    assertThat(record.isAuto()).isTrue();
    assertThat(record.granularityBits()).isEqualTo(16);
    assertThat(record.name()).isEqualTo("day1");
    assertThat(record.isStrange()).isFalse();
  }

  @Test
  void extraDataThatIsNotCompatibleIsStrange() throws CorruptImageException {
    BitmapRecord record = parse(WITH_EXTRA);

    assertThat(record.extra().remaining()).isEqualTo(3);
    assertThat(record.isStrange()).isFalse();
    assertThat(record.withFlags(0).isStrange()).isTrue();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "0=0000000000000000 | bitmap_table_offset: 0 is where the header is",
        "0=0000000000060200 | bitmap_table_offset: 0x60200 is not a multiple of the cluster size",
        "0=0100000000000000 | bitmap_table_offset: 0x100000000000000 is not below 2^56",
        "8=00000000 | bitmap_table_size: 0 is not in 1..8192",
        "8=00002001 | bitmap_table_size: 8193 is not in 1..8192",
        "12=0000000a | flags: 0xa has unknown bits",
        "16=02 | type: 2 is not in 1..1",
        "17=08 | granularity_bits: 8 is not in 9..31",
        "17=20 | granularity_bits: 32 is not in 9..31",
        "18=0000 | name_size: 0 is not in 1..1023",
        "18=0400 | name_size: 1024 is not in 1..1023",
        "20=ffffffff | extra_data_size: 4294967295 is not in 0..65536",
      })
  void brokenFieldsAreNamed(String change, String problem) {
    byte[] bytes = HexFormat.of().parseHex(PLAIN);
    String[] parts = change.split("=");
    byte[] patch = HexFormat.of().parseHex(parts[1]);
    System.arraycopy(patch, 0, bytes, Integer.parseInt(parts[0]), patch.length);

    assertThatThrownBy(() -> BitmapRecord.parse(RULES, CLUSTER, ByteBuffer.wrap(bytes)))
        .isInstanceOf(CorruptImageException.class)
        .hasMessageContaining("image \"x.qcow2\": bitmap directory entry 3, field " + problem);
  }

  private static BitmapRecord parse(String hex) throws CorruptImageException {
    ByteBuffer bytes = ByteBuffer.wrap(HexFormat.of().parseHex(hex));
    int length = BitmapRecord.lengthOf(RULES, bytes);
    return BitmapRecord.parse(RULES, CLUSTER, bytes.slice(0, length));
  }
}
