// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.blkmount.block.driver.BackingReference;
import io.blkmount.block.driver.CreateOptions;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import io.blkmount.block.error.CorruptImageException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Headers that somebody made up to do harm, and the one line that each of them gets. */
final class BadHeaderTest {
  private static final CreateOptions DISK = CreateOptions.ofLength(64L << 20);

  @ParameterizedTest(name = "{0}")
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          # crypt, features, compression
          32=00000003                   | field crypt_method: 3 is not in 0..2
          32=ffffffff                   | field crypt_method: 4294967295 is not in 0..2
          32=00000002                   | extension crypto header: missing, but crypt_method is 2 (LUKS)
          72=0000000000000020           | field incompatible_features: not supported: bit 5
          72=0000000080000000           | field incompatible_features: not supported: bit 31
          72=4000000000000020           | field incompatible_features: not supported: bit 5, bit 62
          72=0000000000000020 120=0005  | field incompatible_features: not supported: "dirty bit"
          72=0000000000000020 120=0005780a1b00 | field incompatible_features: not supported: "x\\x0a\\x1b"
          88=ffffffffffffffff           | field autoclear_features: the bit "raw external data" is set, but there is no external data file
          104=01                        | field compression_type: 1 without the incompatible feature bit "compression type"
          72=0000000000000008           | field compression_type: 0 with the incompatible feature bit "compression type"
          72=0000000000000008 104=ff    | field compression_type: 255 is not in 0..1
          72=0000000000000008 100=00000068 104=0100000000000000 | field compression_type: 0 with the incompatible feature bit "compression type"
          # sizes
          20=00000008                   | field cluster_bits: 8 is not in 9..21
          20=00000016                   | field cluster_bits: 22 is not in 9..21
          20=0000001f                   | field cluster_bits: 31 is not in 9..21
          20=00000028                   | field cluster_bits: 40 is not in 9..21
          20=00000040                   | field cluster_bits: 64 is not in 9..21
          20=80000010                   | field cluster_bits: 2147483664 is not in 9..21
          72=0000000000000010 20=0000000d | field cluster_bits: 13 is below 14, too small for extended L2 entries
          24=ffffffffffffffff           | field size: 18446744073709551615 bytes is not below 2^63
          24=7fffffffffffffff           | field l1_size: 1 entries are too few for a disk of 9223372036854775807 bytes, which needs 17179869184
          24=4000000000000000           | field l1_size: 1 entries are too few for a disk of 4611686018427387904 bytes, which needs 8589934592
          24=0000010000000000           | field l1_size: 1 entries are too few for a disk of 1099511627776 bytes, which needs 2048
          24=0000000020000001           | field l1_size: 1 entries are too few for a disk of 536870913 bytes, which needs 2
          36=00000000                   | field l1_size: 0 entries are too few for a disk of 67108864 bytes, which needs 1
          36=ffffffff                   | field l1_size: 4294967295 is not in 0..4194304
          36=00400001                   | field l1_size: 4194305 is not in 0..4194304
          100=00000000                  | field header_length: 0 is not in 104..65536
          100=00000048                  | field header_length: 72 is not in 104..65536
          100=00010001                  | field header_length: 65537 is not in 104..65536
          100=ffffffff                  | field header_length: 4294967295 is not in 104..65536
          96=00000007                   | field refcount_order: 7 is not in 0..6
          96=0000001f                   | field refcount_order: 31 is not in 0..6
          96=0000003f                   | field refcount_order: 63 is not in 0..6
          56=00000000                   | field refcount_table_clusters: 0 is not in 1..128
          56=00000081                   | field refcount_table_clusters: 129 is not in 1..128
          56=ffffffff                   | field refcount_table_clusters: 4294967295 is not in 1..128
          60=00010001 64=0000000000040000 | field nb_snapshots: 65537 is not in 0..65536
          60=ffffffff 64=0000000000040000 | field nb_snapshots: 4294967295 is not in 0..65536
          # offsets
          48=1234567890abcdef           | field refcount_table_offset: 0x1234567890abcdef is not below 2^56
          48=0000000000010200           | field refcount_table_offset: 0x10200 is not a multiple of the cluster size 65536
          40=1234567890abcdef           | field l1_table_offset: 0x1234567890abcdef is not below 2^56
          40=8000000000030000           | field l1_table_offset: 0x8000000000030000 is not below 2^56
          40=0000000000030008           | field l1_table_offset: 0x30008 is not a multiple of the cluster size 65536
          64=1234567890abcdef           | field snapshots_offset: 0x1234567890abcdef is not below 2^56
          64=0000000000000200           | field snapshots_offset: 0x200 is not a multiple of the cluster size 65536
          # backing file's name
          8=ffffffffffffffff 16=00000004 | field backing_file_offset: 0xffffffffffffffff is not between the header's 112 bytes and the end of the first cluster, 65536
          8=0000000000010001 16=00000004 | field backing_file_offset: 0x10001 is not between the header's 112 bytes and the end of the first cluster, 65536
          8=0000000000000018 16=00000008 | field backing_file_offset: 0x18 is not between the header's 112 bytes and the end of the first cluster, 65536
          8=0000000000001000 16=7fffffff | field backing_file_size: 2147483647 is not in 0..1023
          8=0000000000001000 16=00000400 | field backing_file_size: 1024 is not in 0..1023
          8=000000000000fffa 16=00000014 | field backing_file_size: a name of 20 bytes at offset 0xfffa does not fit into the first cluster of 65536 bytes
          # extensions
          112=12345678fffffff9          | extension 0x12345678 at offset 112: 4294967289 bytes long, only 65416 are left
          112=1234567800010000          | extension 0x12345678 at offset 112: 65536 bytes long, only 65416 are left
          8=0000000000000080 16=00000004 | extension feature names at offset 112: 384 bytes long, only 8 are left
          112=e2792aca00000010          | extension backing format: 16 bytes long, at most 15 are allowed
          112=e2792aca000000037261770000000000e2792aca00000003726177 | extension backing format: occurs twice
          112=0537be77000000100000000000010000 | extension crypto header: crypt_method is 0, not 2 (LUKS)
          32=00000002 112=0537be7700000008 | extension crypto header: 8 bytes long, must be 16
          32=00000002 112=0537be7700000010000000000001000100 | extension crypto header, offset: 0x10001 is not a multiple of the cluster size 65536
          32=00000002 112=0537be77000000100000000000010000ffffffffffffffff | extension crypto header: the LUKS header is 18446744073709551615 bytes long
          112=2385287500000008          | extension bitmaps: 8 bytes long, must be 24
          88=0000000000000001 112=2385287500000018000100000000000000000000000000180000000000010000 | extension bitmaps, count: 65536 is not in 1..65535
          88=0000000000000001 112=2385287500000018000000000000000000000000000000180000000000010000 | extension bitmaps, count: 0 is not in 1..65535
          88=0000000000000001 112=2385287500000018000000010000000100000000000000180000000000010000 | extension bitmaps: the reserved field is not 0
          88=0000000000000001 112=2385287500000018000000010000000000000000040000010000000000010000 | extension bitmaps, directory size: 67108865 is not in 1..67107840
          88=0000000000000001 112=2385287500000018000000010000000080000000000000000000000000010000 | extension bitmaps, directory size: 9223372036854775808 is not in 1..67107840
          88=0000000000000001 112=2385287500000018000000010000000000000000000000180000000000010200 | extension bitmaps, directory offset: 0x10200 is not a multiple of the cluster size 65536
          """)
  void isRefusedByTheNameOfTheField(String pokes, String message) {
    assertThatThrownBy(() -> HeaderBytes.created(DISK).poke(pokes).parse())
        .isInstanceOf(BlockException.class)
        .hasMessage("image \"disk.qcow2\": header " + message);
  }

  @ParameterizedTest(name = "version {0}")
  @CsvSource({"00000000,0", "00000001,1", "00000004,4", "ffffffff,4294967295"})
  void otherVersionsAreNotSupported(String hex, String version) {
    assertThatThrownBy(() -> HeaderBytes.created(DISK).poke("4=" + hex).parse())
        .hasMessage(
            "image \"disk.qcow2\": header field version: "
                + version
                + " is not supported, only 2 and 3 are")
        .satisfies(BadHeaderTest::isNotSupported);
  }

  private static void isNotSupported(Throwable thrown) {
    assertThat(((BlockException) thrown).error()).isEqualTo(BlockError.NOT_SUPPORTED);
  }

  @Test
  void otherFilesAreNoImages() {
    assertThatThrownBy(() -> HeaderBytes.created(DISK).poke("0=514649fa").parse())
        .hasMessage("image \"disk.qcow2\": not a qcow2 image: no qcow2 magic at offset 0");
    assertThatThrownBy(() -> Qcow2Header.parse("x\ny", ByteBuffer.allocate(512), 0))
        .hasMessage("image \"x\\x0ay\": not a qcow2 image: the file is empty");
  }

  /** The length counts, not the padding that a reader gets behind the end of the file. */
  @ParameterizedTest(name = "compat={0}")
  @CsvSource({"0.10,72", "1.1,112"})
  void truncatedHeadersAreRefusedAtEveryLength(String compat, int headerLength) {
    CreateOptions options = new CreateOptions(1 << 20, null, Map.of("compat", compat));
    ByteBuffer bytes = HeaderBytes.created(options).bytes();
    for (int length = 0; length < headerLength; length++) {
      int fileLength = length;
      assertThatThrownBy(() -> Qcow2Header.parse("x", bytes, fileLength))
          .as("length %d", length)
          .hasMessageContaining(
              length < 4 ? "not a qcow2 image" : "truncated header: the file has");
    }
    assertThatCode(() -> Qcow2Header.parse("x", bytes, headerLength)).doesNotThrowAnyException();
  }

  /** QEMU opens these, and so must we. */
  @ParameterizedTest(name = "{0}")
  @ValueSource(
      strings = {
        "80=ffffffffffffffff", // unknown compatible bits
        "88=fffffffffffffffc", // unknown autoclear bits
        "88=0000000000000001", // bitmaps bit without bitmaps
        "72=0000000000000003", // dirty and corrupt: the driver decides
        "100=00000068 104=0000000000000000", // the shortest header
        "100=00000069 104=0000000000000000000000000000000000", // a strange length
        "112=6803f8570000002f 168=0000000000000000", // feature names of a strange length
        "40=0000100000000000", // L1 table behind the end of the file
        "48=0000000000000000", // refcount table on the header
        "36=00400000 40=0000000001000000", // the longest L1 table
        "48=0000000001000000 56=00000080", // the longest refcount table
        "60=00010000 64=0000000000040000", // as many snapshots as may be
        "16=ffffffff", // the length of a name that is not there
        "8=0000000000000208 16=00000000", // an empty name
        "24=0000000000000001", // half a sector
        "112=23852875000000180000000000000000", // bitmaps that are out of date
      })
  void strangeButLegalHeadersAreRead(String pokes) {
    assertThatCode(() -> HeaderBytes.created(DISK).poke(pokes).parse()).doesNotThrowAnyException();
  }

  @Test
  void dataFileNamesWithoutTheirBitAreNotOffered() throws IOException {
    String record = "112=44415441000000042f6574630000000000000000";

    HeaderExtensions extensions = HeaderBytes.created(DISK).poke(record).parse().extensions();

    assertThat(extensions.dataFileName()).isNull();
    assertThat(extensions.unknown())
        .containsExactly(
            new HeaderExtensions.Unknown(0x44415441, ByteBuffer.wrap("/etc".getBytes(UTF_8))));
  }

  @Test
  void backingNamesEndAtANul() throws IOException {
    BackingReference backing = new BackingReference("base.img", "raw");
    HeaderBytes bytes = HeaderBytes.created(new CreateOptions(1 << 20, backing, Map.of()));
    int nameAt = (int) bytes.parse().header().backingNameOffset();

    assertThat(bytes.parse().backingName()).isEqualTo("base.img");
    assertThat(bytes.poke(nameAt + 4 + "=00").parse().backingName()).isEqualTo("base");
    assertThat(bytes.poke(nameAt + "=00").parse().backingName()).isNull();
  }

  @Test
  void clustersFullOfExtensionsCostNoMemory() {
    HeaderBytes bytes =
        HeaderBytes.created(new CreateOptions(1 << 20, null, Map.of("cluster_size", "2M")));
    StringBuilder records = new StringBuilder("112=");
    for (int i = 0; i < 2000; i++) {
      records.append("1234567800000000");
    }

    assertThatThrownBy(() -> bytes.poke(records.toString()).parse())
        .isInstanceOf(CorruptImageException.class)
        .hasMessageContaining("more than 1024 unknown ones");
  }
}
