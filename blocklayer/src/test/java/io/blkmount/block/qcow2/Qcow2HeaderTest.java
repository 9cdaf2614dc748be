// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.qcow2.FeatureBits.Feature;
import io.blkmount.block.testing.QemuImg;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

final class Qcow2HeaderTest {
  /** The first bytes of a version 3 image of 64 MiB with a backing file, as qemu-img writes it. */
  private static final String GOLDEN =
      "514649fb 00000003 0000000000000210 00000008 00000010 0000000004000000 00000000 00000001"
          + " 0000000000030000 0000000000010000 00000001 00000000 0000000000000000"
          + " 0000000000000008 0000000000000001 0000000000000000 00000004 00000070"
          + " 0100000000000000";

  @TempDir Path folder;

  @Test
  void everyFieldHasItsPlace() throws IOException {
    ByteBuffer bytes = ByteBuffer.wrap(HexFormat.of().parseHex(GOLDEN.replace(" ", "")));

    Qcow2Header header = Qcow2Header.parse("x", bytes, bytes.capacity());

    assertThat(header)
        .isEqualTo(
            new Qcow2Header(
                3, 0x210, 8, 16, 64 << 20, 0, 1, 0x30000, 0x10000, 1, 0, 0, 8, 1, 0, 4, 112, 1));
    assertThat(header.clusterSize()).isEqualTo(65536);
    assertThat(header.refcountBits()).isEqualTo(16);
  }

  @ParameterizedTest(name = "{0}")
  @ValueSource(
      strings = {
        "compat=0.10",
        "compat=1.1",
        "cluster_size=512",
        "cluster_size=4k,refcount_bits=1",
        "cluster_size=2M,refcount_bits=64",
        "lazy_refcounts=on",
        "compression_type=zstd",
        "extended_l2=on",
        "data_file=guest.data",
        "data_file=guest.data,data_file_raw=on",
        "backing_file=base.img,backing_fmt=raw",
        "compat=0.10,backing_file=base.img,backing_fmt=raw",
        "cluster_size=512,backing_file=base.img,backing_fmt=raw",
        "encrypt.format=aes,encrypt.key-secret=key",
        "encrypt.format=luks,encrypt.key-secret=key,encrypt.iter-time=1",
      })
  void readsAndWritesWhatQemuImgWrites(String options) throws IOException {
    Files.write(folder.resolve("base.img"), new byte[512]);
    Path image = folder.resolve("image.qcow2");
    // qemu-img makes a data file of a relative name in its own working folder.
    String here = options.replace("guest.data", folder.resolve("guest.data").toString());
    Object[] create = {
      "create", "-q", "--object", "secret,id=key,data=123456", "-f", "qcow2", "-o", here, image
    };
    QemuImg.img(append(create, "64M"));

    assertRewritesTheSame(image);
  }

  @Test
  void readsAndWritesSnapshotsAndBitmaps() throws IOException {
    Path image = folder.resolve("image.qcow2");
    QemuImg.create(image, "64M", "cluster_size=64k");
    QemuImg.img("snapshot", "-c", "first", image);
    QemuImg.img("bitmap", "--add", image, "changes");

    HeaderBytes.Parsed parsed = assertRewritesTheSame(image);

    assertThat(parsed.header().snapshotCount()).isEqualTo(1);
    assertThat(parsed.extensions().bitmaps().count()).isEqualTo(1);
  }

  @Test
  void keepsUnknownExtensionsInTheirOrder() throws IOException {
    Path image = folder.resolve("image.qcow2");
    QemuImg.create(image, "64M", "");
    int end = Qcow2Header.V3_LENGTH + 8 + 384;
    byte[] cluster = firstCluster(image);
    HeaderBytes bytes =
        HeaderBytes.of(cluster).poke(end + "=1111111100000003aabbcc00000000002222222200000000");

    HeaderBytes.Parsed parsed = bytes.parse();

    assertThat(parsed.extensions().unknown())
        .extracting(HeaderExtensions.Unknown::type)
        .containsExactly(0x11111111, 0x22222222);
    assertThat(parsed.rewritten()).isEqualTo(bytes.bytes());
  }

  @Test
  void readsTheNamesOfFeatures() throws IOException {
    Path image = folder.resolve("image.qcow2");
    QemuImg.create(image, "64M", "");

    HeaderExtensions extensions = HeaderBytes.of(firstCluster(image)).parse().extensions();

    assertThat(extensions.featureNames()).isEqualTo(FeatureBits.names());
    assertThat(extensions.featureNames().get(new Feature(FeatureBits.TYPE_INCOMPATIBLE, 3)))
        .isEqualTo("compression type");
  }

  @ParameterizedTest(name = "{0} bytes, cluster_bits {1}, extended L2 {2}: {3}")
  @CsvSource({
    "0,16,false,0",
    "1,16,false,1",
    "536870912,16,false,1",
    "536870913,16,false,2",
    "268435457,16,true,2",
    "32769,9,false,2",
    "2305843009213693952,21,false,4194304",
    "9223372036854775807,9,false,281474976710656"
  })
  void countsL1Entries(long length, int clusterBits, boolean extendedL2, long entries) {
    assertThat(ClusterGeometry.l1EntriesFor(length, clusterBits, extendedL2)).isEqualTo(entries);
  }

  private static HeaderBytes.Parsed assertRewritesTheSame(Path image) throws IOException {
    byte[] cluster = firstCluster(image);
    HeaderBytes.Parsed parsed = HeaderBytes.of(cluster).parse();

    assertThat(parsed.rewritten()).isEqualTo(ByteBuffer.wrap(cluster));
    return parsed;
  }

  private static byte[] firstCluster(Path image) throws IOException {
    byte[] file = Files.readAllBytes(image);
    int clusterSize = 1 << ByteBuffer.wrap(file).getInt(Qcow2Header.CLUSTER_BITS_AT);
    return Arrays.copyOf(file, clusterSize);
  }

  private static Object[] append(Object[] arguments, Object last) {
    List<Object> all = new ArrayList<>(List.of(arguments));
    all.add(last);
    return all.toArray();
  }
}
