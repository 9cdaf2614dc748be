// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.driver.CreateOptions;
import io.blkmount.block.driver.DriverInstance;
import io.blkmount.block.driver.DriverOptions;
import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.testing.Images;
import io.blkmount.block.testing.MemoryChild;
import io.blkmount.block.testing.MemoryInstance;
import io.blkmount.block.testing.PagedBytes;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Tables that somebody made up to make us write where we must not. The image has clusters of 64 KiB
 * and the first guest cluster allocated:
 *
 * <pre>
 * 0 header | 10000 refcount table | 20000 refcount block | 30000 L1 | 40000 L2 | 50000 data | 60000
 * </pre>
 */
final class HostileTablesTest {
  private static final int CLUSTER = 65536;
  private static final String L1_ENTRY = "30000=8000000000040000";
  private static final String L2_ENTRY = "40000=8000000000050000";
  private static final String REFCOUNTS = "20008=00010001";
  private static final int CORRUPT_AT = Qcow2Header.INCOMPATIBLE_FEATURES_AT + 7;

  /** The write goes to a guest cluster that is not allocated, in the L2 table that exists. */
  @ParameterizedTest(name = "{0}")
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          refcount table on the header      | 30=0000000000000000
          refcount block off its boundary   | 10000=0000000000022a00
          refcount block is the table       | 10000=0000000000010000
          refcount block far up             | 10000=00ffffff00000000
          header is counted as free         | 20000=00000000000000000000
          L1 table on the refcount table    | 28=0000000000010000
          L2 table past the end             | 30000=8000ffffffff0000
          L2 table is the refcount block    | 30000=8000000000020000
          L2 table is the L1 table          | 30000=8000000000030000
          L1 table past the end             | 28=0000100000000000
          """)
  void allocatingFailsAndMarksTheImage(String name, String pokes) throws IOException {
    MemoryInstance host = hostile(pokes);
    byte[] before = content(host);

    String failure = writeAndFlush(host, CLUSTER);

    assertMarked(host, before, failure);
  }

  @ParameterizedTest(name = "{0}")
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          data off its boundary             | 40000=8000000000052a00
          zeroes off their boundary         | 40000=8000000000002a01
          data on the refcount block        | 40000=8000000000020000
          data on the L1 table              | 40000=8000000000030000
          data on its own L2 table          | 40000=8000000000040000
          data past the end                 | 40000=8000100000000000
          data past the end, reserved bits  | 40000=bfffffffffff0000
          """)
  void overwritingFailsAndMarksTheImage(String name, String pokes) throws IOException {
    MemoryInstance host = hostile(pokes);
    byte[] before = content(host);

    String failure = writeAndFlush(host, 0);

    assertMarked(host, before, failure);
  }

  @ParameterizedTest(name = "{0}")
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          L2 table past the end             | 30000=8000ffffffff0000
          data off its boundary             | 40000=8000000000052a00
          compressed data past the end      | 40000=40007fffffff0000
          compressed data that ends early   | 40000=4000000000050000 50000=73741c05a360140c770000
          bit 0 of a compressed entry       | 40000=4000000000050001
          """)
  void readingFailsWhereTheDamageIs(String name, String pokes) throws IOException {
    MemoryInstance host = hostile(pokes);
    byte[] before = content(host);

    try (DriverInstance image = open(host, false)) {
      assertThat(failureOf(() -> Images.read(image, 0, CLUSTER))).contains(" at host offset 0x");
      long elsewhere = 600L << 20;
      assertThat(Images.read(image, elsewhere, CLUSTER)).isEqualTo(ByteBuffer.allocate(CLUSTER));
    }

    assertThat(content(host)).as("a read-only image changes no byte").isEqualTo(before);
  }

  /** What the subclusters of the first guest cluster say cannot be. */
  @ParameterizedTest(name = "{0}")
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          both stored and zero              | 40008=00000001ffffffff
          stored in no cluster              | 40000=0000000000000000 40008=0000000000000001
          of a compressed cluster           | 40000=4000000000050000 40008=0000000100000000
          in a cluster off its boundary     | 40000=8000000000052a00 40008=0000000000000000
          zeros of a cluster off boundary   | 40000=8000000000052a00 40008=ffffffff00000000
          """)
  void damagedSubclustersFailAndMarkTheImage(String name, String pokes) throws IOException {
    Map<String, String> extended = Map.of("extended_l2", "on");
    String all = "40008=00000000ffffffff " + pokes;
    byte[] before = content(hostile(all, extended));

    try (DriverInstance image = open(hostile(all, extended), false)) {
      assertThat(failureOf(() -> Images.read(image, 0, 512))).contains(" at host offset 0x");
      assertThat(failureOf(() -> image.extentAt(0, CLUSTER))).contains(" at host offset 0x");
      assertThat(Images.read(image, CLUSTER, 512)).isEqualTo(ByteBuffer.allocate(512));
    }
    MemoryInstance written = hostile(all, extended);
    assertMarked(written, before, writeAndFlush(written, 0));
    MemoryInstance zeroed = hostile(all, extended);
    try (DriverInstance image = open(zeroed, true)) {
      String failure = failureOf(() -> image.writeZeroes(2048, 2048, WriteFlags.NONE));
      assertMarked(zeroed, before, failure);
    }
  }

  /** Of the header only the corrupt bit has changed, and the file has not been blown up. */
  private static void assertMarked(MemoryInstance host, byte[] before, @Nullable String failure) {
    assertThat(failure).contains(" at host offset 0x");
    byte[] header = Arrays.copyOf(before, CLUSTER);
    header[CORRUPT_AT] |= (byte) FeatureBits.CORRUPT;
    byte[] after = content(host);
    assertThat(Arrays.copyOf(after, CLUSTER)).as(failure).isEqualTo(header);
    assertThat(after.length).as(failure).isLessThanOrEqualTo(10 * CLUSTER);
  }

  private static @Nullable String writeAndFlush(MemoryInstance host, long guestOffset)
      throws IOException {
    try (DriverInstance image = open(host, true)) {
      String failure =
          failureOf(() -> image.write(guestOffset, Images.bytes(CLUSTER, 1), WriteFlags.NONE));
      String flushed = failureOf(image::flush);
      return failure == null ? flushed : failure;
    }
  }

  private interface Action {
    void run() throws IOException;
  }

  private static @Nullable String failureOf(Action action) {
    try {
      action.run();
      return null;
    } catch (IOException e) {
      return e.getMessage();
    }
  }

  private static DriverInstance open(MemoryInstance host, boolean writable) throws IOException {
    return new Qcow2Driver()
        .open(new DriverOptions("x", writable, Map.of()), new MemoryChild(host).opener());
  }

  private static MemoryInstance hostile(String pokes) {
    return hostile(pokes, Map.of());
  }

  private static MemoryInstance hostile(String pokes, Map<String, String> options) {
    try {
      MemoryInstance file = MemoryInstance.ofLength(0);
      Qcow2Creator.create(new MemoryChild(file), new CreateOptions(1L << 30, null, options));
      PagedBytes bytes = file.content();
      bytes.setLength(6 * CLUSTER);
      for (String poke :
          (L1_ENTRY + " " + L2_ENTRY + " " + REFCOUNTS + " " + pokes).trim().split(" ")) {
        int equals = poke.indexOf('=');
        byte[] content = HexFormat.of().parseHex(poke.substring(equals + 1));
        bytes.write(Long.parseLong(poke.substring(0, equals), 16), ByteBuffer.wrap(content));
      }
      return MemoryInstance.of(bytes.bytes(0, (int) bytes.length()));
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  private static byte[] content(MemoryInstance host) {
    return host.content().bytes(0, (int) host.content().length());
  }
}
