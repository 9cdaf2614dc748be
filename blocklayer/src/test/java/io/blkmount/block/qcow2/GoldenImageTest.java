// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.driver.BackingReference;
import io.blkmount.block.driver.CreateOptions;
import io.blkmount.block.driver.DriverInstance;
import io.blkmount.block.driver.DriverOptions;
import io.blkmount.block.driver.Extent;
import io.blkmount.block.qcow2.HeaderExtensions.BitmapsPointer;
import io.blkmount.block.qcow2.HeaderExtensions.CryptoPointer;
import io.blkmount.block.testing.Images;
import io.blkmount.block.testing.MemoryChild;
import io.blkmount.block.testing.MemoryInstance;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Every structure against bytes that QEMU 7.2 wrote. */
final class GoldenImageTest {
  private static final int CLUSTER = 512;
  private static final int L2_TABLE = 0x800;
  private static final int REFCOUNT_BLOCK = 0x400;

  @ParameterizedTest(name = "{0}")
  @ValueSource(
      strings = {
        "v2",
        "v3",
        "v3-512",
        "v3-zstd-lazy",
        "v2-overlay",
        "v3-overlay",
        "v3-512-overlay",
        "data-file",
        "extended-l2",
        "luks",
        "bitmap"
      })
  void headersAreReadAndWrittenAgain(String name) throws IOException {
    byte[] golden = GoldenFile.load(name);

    assertThat(HeaderBytes.of(golden).parse().rewritten()).isEqualTo(ByteBuffer.wrap(golden));
  }

  @ParameterizedTest(name = "{0}")
  @CsvSource(
      delimiter = '|',
      value = {
        "v2|compat=0.10|",
        "v3|compat=1.1|",
        "v3-512|cluster_size=512|",
        "v3-zstd-lazy|compression_type=zstd,lazy_refcounts=on,refcount_bits=1|",
        "v2-overlay|compat=0.10|base.img",
        "v3-overlay|compat=1.1|base.img",
        "v3-512-overlay|cluster_size=512|base.img",
        "data-file|data_file=guest.data,data_file_raw=on|",
        "extended-l2|extended_l2=on|"
      })
  void imagesAreCreatedAsQemuCreatesThem(String name, String options, String backingName) {
    BackingReference backing =
        backingName == null ? null : new BackingReference(backingName, "raw");
    Map<String, String> values = new HashMap<>();
    for (String option : options.split(",")) {
      values.put(option.split("=")[0], option.split("=")[1]);
    }

    HeaderBytes created = HeaderBytes.created(new CreateOptions(64 << 20, backing, values));

    assertThat(created.bytes()).isEqualTo(ByteBuffer.wrap(GoldenFile.load(name)));
  }

  @Test
  void extensionsSayWhatQemuPutThere() throws IOException {
    assertThat(extensions("data-file").dataFileName()).isEqualTo("guest.data");
    assertThat(extensions("v3-overlay").backingFormat()).isEqualTo("raw");
    assertThat(extensions("luks").crypto()).isEqualTo(new CryptoPointer(0x40000, 0x1f9000));
    assertThat(extensions("bitmap").bitmaps()).isEqualTo(new BitmapsPointer(1, 32, 0x70000));
    assertThat(extensions("v2")).isEqualTo(HeaderExtensions.NONE);
  }

  @Test
  void l2EntriesOfVersion3HaveEveryKind() {
    assertThat(kinds("kinds-v3", true))
        .containsExactly(
            L2Entry.Kind.UNALLOCATED,
            L2Entry.Kind.NORMAL,
            L2Entry.Kind.ZERO_PLAIN,
            L2Entry.Kind.ZERO_ALLOCATED,
            L2Entry.Kind.COMPRESSED,
            L2Entry.Kind.COMPRESSED);
    assertThat(entry("kinds-v3", 1)).isEqualTo(L2Entry.normal(0xa00));
    assertThat(entry("kinds-v3", 2)).isEqualTo(L2Entry.ZERO_ENTRY);
    assertThat(entry("kinds-v3", 3)).isEqualTo(L2Entry.zeroAllocated(0xc00));
  }

  @Test
  void l2EntriesOfVersion2HaveNoZeroes() {
    assertThat(kinds("kinds-v2", false))
        .containsExactly(
            L2Entry.Kind.UNALLOCATED,
            L2Entry.Kind.NORMAL,
            L2Entry.Kind.UNALLOCATED,
            L2Entry.Kind.NORMAL,
            L2Entry.Kind.COMPRESSED,
            L2Entry.Kind.COMPRESSED);
    assertThat(L2Entry.kind(L2Entry.ZERO_ENTRY, false)).isEqualTo(L2Entry.Kind.UNALLOCATED);
  }

  @Test
  void extendedEntriesHaveAStateForEverySubcluster() {
    ByteBuffer table = ByteBuffer.wrap(GoldenFile.load("kinds-extended"), 0x10000, 128).slice();
    long[] words = new long[16];
    table.asLongBuffer().get(words);

    assertThat(words)
        .startsWith(
            L2Entry.normal(0x14000),
            SubclusterMap.withZero(0b1100, 0b11110000),
            0,
            0,
            0,
            SubclusterMap.ALL_ZERO,
            L2Entry.normal(0x18000),
            SubclusterMap.ALL_ZERO);
    assertThat(L2Entry.isCompressed(words[10])).isTrue();
    assertThat(words[11]).isEqualTo(SubclusterMap.NONE);
  }

  @Test
  void theDriverReadsEverySubcluster() throws IOException {
    byte[] expected = new byte[128 << 10];
    Arrays.fill(expected, 1 << 10, 2 << 10, (byte) 1);
    Arrays.fill(expected, 64 << 10, (64 << 10) + 512, (byte) 2);
    Arrays.fill(expected, 80 << 10, 96 << 10, (byte) 3);
    MemoryChild file = new MemoryChild(MemoryInstance.of(GoldenFile.load("kinds-extended")));

    try (DriverInstance image =
        new Qcow2Driver().open(new DriverOptions("x", false, Map.of()), file.opener())) {
      assertThat(Images.read(image, 0, 128 << 10)).isEqualTo(ByteBuffer.wrap(expected));
      assertThat(image.extentAt(0, 1 << 20)).isEqualTo(Extent.unallocated(0, 1 << 10));
      assertThat(image.extentAt(1 << 10, 1 << 20))
          .isEqualTo(Extent.data(1 << 10, 1 << 10, 0x14400));
      assertThat(image.extentAt(2 << 10, 1 << 20).kind()).isEqualTo(Extent.Kind.ZERO);
    }
  }

  /** Both streams lie in one sector, which therefore has two owners. */
  @Test
  void compressedClustersShareASector() {
    assertThat(CompressedCluster.decode(entry("kinds-v3", 4), 9))
        .isEqualTo(new CompressedCluster(0xe00, 512));
    assertThat(CompressedCluster.decode(entry("kinds-v3", 5), 9))
        .isEqualTo(new CompressedCluster(0xe08, 504));
    ByteBuffer block =
        ByteBuffer.wrap(GoldenFile.load("kinds-v3"), REFCOUNT_BLOCK, CLUSTER).slice();
    RefcountWidth width = new RefcountWidth(4);
    assertThat(IntStream.range(0, 11).mapToLong(i -> width.get(block, i)).toArray())
        .containsExactly(1, 1, 1, 1, 1, 1, 1, 2, 1, 1, 0);
  }

  @Test
  void l1EntriesPointToTheTables() {
    ByteBuffer image = ByteBuffer.wrap(GoldenFile.load("kinds-v3"));

    assertThat(image.getLong(0x600)).isEqualTo(L1Entry.of(L2_TABLE));
    assertThat(L1Entry.l2Offset(image.getLong(0x608))).isEqualTo(0x1000);
    assertThat(L1Entry.isCopied(image.getLong(0x608))).isTrue();
  }

  @ParameterizedTest(name = "{0}")
  @ValueSource(strings = {"kinds-v2", "kinds-v3"})
  void theDriverReadsEveryKind(String name) throws IOException {
    byte[] expected = new byte[65536];
    Arrays.fill(expected, 512, 1024, (byte) 1);
    Arrays.fill(expected, 1536, 2048, (byte) (name.equals("kinds-v2") ? 3 : 0));
    Arrays.fill(expected, 2048, 2560, (byte) 4);
    Arrays.fill(expected, 2560, 3072, (byte) 5);
    Arrays.fill(expected, 65024, 65536, (byte) 6);
    MemoryChild file = new MemoryChild(MemoryInstance.of(GoldenFile.load(name)));

    DriverInstance image =
        new Qcow2Driver().open(new DriverOptions(name, false, Map.of()), file.opener());

    try (image) {
      assertThat(image.length()).isEqualTo(65536);
      assertThat(Images.read(image, 0, 65536)).isEqualTo(ByteBuffer.wrap(expected));
    }
  }

  private static HeaderExtensions extensions(String name) throws IOException {
    return HeaderBytes.of(GoldenFile.load(name)).parse().extensions();
  }

  private static long entry(String name, int index) {
    return ByteBuffer.wrap(GoldenFile.load(name)).getLong(L2_TABLE + 8 * index);
  }

  private static List<L2Entry.Kind> kinds(String name, boolean zeroFlagKnown) {
    return IntStream.range(0, 6)
        .mapToObj(index -> L2Entry.kind(entry(name, index), zeroFlagKnown))
        .toList();
  }
}
