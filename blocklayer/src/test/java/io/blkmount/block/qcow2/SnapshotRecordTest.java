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

/** Records of the snapshot table, byte for byte. */
final class SnapshotRecordTest {
  private static final int CLUSTER = 65536;
  private static final HeaderRules RULES = HeaderRules.forSnapshot("x.qcow2", 3);

  /** L1 table at 0x50000 with 2 entries, id "1", name "day1", 42 s, 7 ns, 9 ns of guest time. */
  private static final String START =
      "0000000000050000" + "00000002" + "00010004" + "0000002a00000007" + "0000000000000009";

  private static final String TEXTS = "31" + "64617931";

  private static final String NO_EXTRA = START + "0000100000000000" + TEXTS + "000000";
  private static final String NEW =
      START
          + ("ffffffff" + "00000018")
          + ("0000000123456789" + "0000000000200200" + "0000000000000005")
          + TEXTS
          + "000000";
  private static final String WITH_UNKNOWN =
      START
          + ("00000000" + "0000001b")
          + ("0000000000000000" + "0000000000200200" + "ffffffffffffffff" + "abcdef")
          + TEXTS;

  @ParameterizedTest
  @ValueSource(strings = {NO_EXTRA, NEW, WITH_UNKNOWN})
  void recordsAreWrittenAsTheyWereRead(String hex) throws CorruptImageException {
    byte[] bytes = HexFormat.of().parseHex(hex);

    SnapshotRecord record = parse(hex);

    ByteBuffer written = ByteBuffer.allocate(record.encodedLength());
    record.encode(written);
    assertThat(written.remaining()).isZero();
    assertThat(written.array()).isEqualTo(bytes);
  }

  @Test
  void fieldsOfANewRecord() throws CorruptImageException {
    SnapshotRecord record = parse(NEW);

    assertThat(record.l1TableOffset()).isEqualTo(0x50000);
    assertThat(record.l1ByteCount()).isEqualTo(16);
    assertThat(record.id()).isEqualTo("1");
    assertThat(record.name()).isEqualTo("day1");
    assertThat(record.seconds()).isEqualTo(42);
    assertThat(record.nanoseconds()).isEqualTo(7);
    assertThat(record.vmClockNanos()).isEqualTo(9);
    assertThat(record.vmStateLength()).isEqualTo(0x123456789L);
    assertThat(record.diskLength()).isEqualTo(0x200200);
    assertThat(record.icount()).isEqualTo(5);
  }

  @Test
  void fieldsOfAnOldRecord() throws CorruptImageException {
    SnapshotRecord record = parse(NO_EXTRA);

    assertThat(record.vmStateLength()).isEqualTo(0x1000);
    assertThat(record.diskLength()).isEqualTo(SnapshotRecord.UNKNOWN);
    assertThat(record.icount()).isEqualTo(SnapshotRecord.UNKNOWN);
  }

  @ParameterizedTest(name = "{0}")
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          0=0000000000050200  | l1_table_offset: 0x50200 is not a multiple of the cluster size 65536
          0=0100000000000000  | l1_table_offset: 0x100000000000000 is not below 2^56
          0=ffffffffffff0000  | l1_table_offset: 0xffffffffffff0000 is not below 2^56
          8=00400001          | l1_size: 4194305 is not in 0..4194304
          8=ffffffff          | l1_size: 4294967295 is not in 0..4194304
          36=00000401         | extra_data_size: 1025 is not in 0..1024
          36=ffffffff         | extra_data_size: 4294967295 is not in 0..1024
          48=8000000000000000 | disk size: 9223372036854775808 bytes is not below 2^63
          """)
  void badFieldIsNamed(String poke, String problem) {
    byte[] bytes = HexFormat.of().parseHex(NEW);
    byte[] value = HexFormat.of().parseHex(poke.substring(poke.indexOf('=') + 1));
    ByteBuffer record = ByteBuffer.wrap(bytes);
    record.put(Integer.parseInt(poke.substring(0, poke.indexOf('='))), value);

    assertThatThrownBy(() -> SnapshotRecord.parse(RULES, CLUSTER, record))
        .isInstanceOf(CorruptImageException.class)
        .hasMessage("image \"x.qcow2\": snapshot table entry 3, field " + problem);
  }

  private static SnapshotRecord parse(String hex) throws CorruptImageException {
    ByteBuffer bytes = ByteBuffer.wrap(HexFormat.of().parseHex(hex));
    return SnapshotRecord.parse(RULES, CLUSTER, bytes);
  }
}
