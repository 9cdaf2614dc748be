// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.driver.RepairMode;
import io.blkmount.block.testing.Images;
import io.blkmount.block.testing.PagedBytes;
import io.blkmount.block.testing.Qcow2Layout;
import io.blkmount.block.testing.QemuImg;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Counts as qemu-img does in images that are not quite usual, and in those that it repairs. */
final class Qcow2CheckCountsTest {
  private static final String[] REQUESTS = {
    "write -P 1 0 300k", "write -z 100k 90k", "write -P 2 900k 33k", "discard 0 64k"
  };

  @TempDir private Path folder;

  private Path file = Path.of("");

  private void create(String length, String options) {
    file = folder.resolve("image.qcow2");
    QemuImg.create(file, length, options);
  }

  private void assertAgrees() throws IOException {
    CheckRun run = CheckRun.of(Images.load(file));
    assertThat(run.texts()).isEmpty();
    assertThat(run.counts()).isEqualTo(CheckRun.qemuCounts(file));
  }

  private void poke(long at, String hex) {
    PagedBytes image = Images.load(file);
    image.write(at, ByteBuffer.wrap(HexFormat.of().parseHex(hex)));
    Images.store(image, file);
  }

  @ParameterizedTest
  @ValueSource(strings = {"0", "512", "65536", "1M", "1000448", "3T"})
  void disksOfEveryLength(String length) throws IOException {
    create(length, "cluster_size=64k");
    assertAgrees();
    QemuImg.img("snapshot", "-c", "one", file);

    assertAgrees();
  }

  @ParameterizedTest
  @ValueSource(strings = {"off", "metadata", "falloc", "full"})
  void preallocation(String mode) throws IOException {
    create("1M", "cluster_size=4k,preallocation=" + mode);
    assertAgrees();
    QemuImg.io(file, REQUESTS);

    assertAgrees();
  }

  @ParameterizedTest
  @ValueSource(strings = {"data_file_raw=off", "data_file_raw=on", "preallocation=metadata"})
  void externalDataFiles(String options) throws IOException {
    create("1M", options + ",data_file=" + folder.resolve("data"));
    QemuImg.io(file, REQUESTS);

    assertAgrees();
  }

  @ParameterizedTest(name = "backing file of {0}, {1}")
  @CsvSource({"512k,raw", "4M,raw", "1M,qcow2"})
  void backingFiles(String length, String format) throws IOException {
    Path base = folder.resolve("base");
    QemuImg.img("create", "-q", "-f", format, base, length);
    file = folder.resolve("image.qcow2");
    QemuImg.img("create", "-q", "-f", "qcow2", "-b", base, "-F", format, file, "1M");
    QemuImg.io(file, REQUESTS);

    assertAgrees();
  }

  @Test
  void aes() throws IOException {
    file = folder.resolve("image.qcow2");
    QemuImg.createEncrypted(file, "1M", "cluster_size=4k,encrypt.format=aes");
    QemuImg.ioEncrypted(file, REQUESTS);

    assertAgrees();
  }

  @Test
  void aLastClusterThatIsShort() throws IOException {
    create("1M", "cluster_size=64k");
    QemuImg.io(file, "write 0 64k");
    PagedBytes image = Images.load(file);
    image.setLength(image.length() - 40_000);
    Images.store(image, file);

    assertAgrees();
  }

  @ParameterizedTest(name = "bytes {1} at {0}")
  @CsvSource({"80,4000000000000001", "88,0000000000000100", "31,01"})
  void fieldsThatAreNotKnownOrOdd(int at, String hex) throws IOException {
    create("1M", "cluster_size=4k");
    QemuImg.io(file, REQUESTS);
    poke(at, hex);

    assertAgrees();
  }

  @Test
  void anExtensionThatIsNotKnown() throws IOException {
    create("1M", "compat=0.10,cluster_size=4k");
    poke(72, "12345678000000051122334455000000");
    QemuImg.io(file, REQUESTS);

    assertAgrees();
  }

  @Test
  void bitmapsInUse() throws IOException {
    create("1M", "cluster_size=4k");
    QemuImg.img("bitmap", "--add", "-g", "512", file, "fine");
    QemuImg.io(file, REQUESTS);
    poke(Qcow2Layout.parse(Images.load(file)).bitmapsOffset() + 12, "00000003");

    assertAgrees();
  }

  /**
   * Refcounts of 16 bits that are wrong; for one of 0 at a used cluster qemu-img moves them all.
   *
   * <pre>
   * 0 header | 1 refcount table | 2 refcount block | 3 L1 | 4 L2, 2 references | 5 data, 2 ...
   * </pre>
   */
  @ParameterizedTest(name = "{0} {1}")
  @CsvSource({
    "leaks,00010001000100010002000300040002",
    "all,00010001000100010002000300040002",
    "all,00010001000100010002000100030002",
    "all,00010001000200010001000200020001",
  })
  void whatARepairFixes(String mode, String refcounts) throws IOException {
    create("1M", "cluster_size=64k");
    QemuImg.io(file, "write -P 1 0 300k");
    QemuImg.img("snapshot", "-c", "one", file);
    poke(0x20000, refcounts);
    PagedBytes damaged = Images.load(file);

    QemuImg.Result theirs =
        QemuImg.run(
            List.of(
                "qemu-img", "check", "-f", "qcow2", "--output=json", "-r", mode, file.toString()));
    RepairRun ours = RepairRun.of(damaged, RepairMode.valueOf(mode.toUpperCase(Locale.ROOT)));

    assertThat(CheckRun.fixed(ours.result())).isEqualTo(CheckRun.qemuFixed(theirs.output()));
    assertThat(CheckRun.of(ours.content()).counts())
        .isEqualTo(CheckRun.qemuCounts(theirs.output()));
  }
}
