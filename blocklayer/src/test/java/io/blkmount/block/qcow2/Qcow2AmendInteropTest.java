// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.BlockLayer;
import io.blkmount.block.testing.Images;
import io.blkmount.block.testing.MemoryChild;
import io.blkmount.block.testing.MemoryInstance;
import io.blkmount.block.testing.PagedBytes;
import io.blkmount.block.testing.Qcow2Checker;
import io.blkmount.block.testing.QemuImg;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What is amended here is as qemu-img would have amended it, and the same disk for it. */
final class Qcow2AmendInteropTest {
  @TempDir private Path folder;

  @ParameterizedTest
  @MethodSource("io.blkmount.block.qcow2.AmendCase#all")
  void amendsAsQemuDoes(AmendCase one) throws IOException {
    Path file = one.create(folder);
    Path kept = folder.resolve("kept.qcow2");
    AmendCase.copy(file, kept);
    List<ByteBuffer> guest = AmendCase.guest(Images.load(file), one.backing());

    BlockLayer.amend(file.toString(), "qcow2", one.map());

    requireSame(file, guest, one);
    String ours = AmendCase.info(file);
    AmendCase.copy(kept, file);
    QemuImg.img("amend", "-f", "qcow2", "-o", one.values(), file);
    assertThat(ours).isEqualTo(AmendCase.info(file));
  }

  @ParameterizedTest
  @MethodSource("io.blkmount.block.qcow2.AmendCase#backings")
  void changesTheBackingFileAsRebaseDoes(AmendCase one) throws IOException {
    Path file = one.create(folder);
    Path kept = folder.resolve("kept.qcow2");
    AmendCase.copy(file, kept);
    List<ByteBuffer> guest = AmendCase.guest(Images.load(file), one.backing());

    BlockLayer.amend(file.toString(), null, one.map());

    requireSame(file, guest, one);
    String ours = AmendCase.info(file);
    AmendCase.copy(kept, file);
    String name = one.map().get("backing_file");
    QemuImg.img("rebase", "-u", "-f", "qcow2", "-F", "raw", "-b", name, file);
    assertThat(ours).isEqualTo(AmendCase.info(file));
  }

  private static void requireSame(Path file, List<ByteBuffer> guest, AmendCase one)
      throws IOException {
    QemuImg.requireClean(file, one);
    PagedBytes image = Images.load(file);
    assertThat(Qcow2Checker.check(image)).matches(Qcow2Checker.Findings::isClean);
    assertThat(AmendCase.guest(image, one.backing())).isEqualTo(guest);
    QemuImg.io(file, "write -P 8 " + (one.length() - 512) + " 512");
    QemuImg.requireClean(file, one + ", written to");
  }

  @Test
  void whatIsSaidAlreadyIsNotWritten() throws IOException {
    AmendCase one = new AmendCase("cluster_size=4k", true, false, "compat=1.1,refcount_bits=16");
    Path file = one.create(folder);
    byte[] before = Files.readAllBytes(file);

    BlockLayer.amend(file.toString(), "qcow2", one.map());

    assertThat(Files.readAllBytes(file)).isEqualTo(before);
  }

  @Test
  void whatIsNotKnownSurvives() throws IOException {
    AmendCase one = new AmendCase("cluster_size=64k", true, false, "backing_file=");
    PagedBytes image = Images.load(one.create(folder));
    ByteBuffer start = ByteBuffer.wrap(image.bytes(0, 2048));
    int fields = Qcow2Header.V3_LENGTH + 16;
    start.put(fields, image.bytes(Qcow2Header.V3_LENGTH, 1024));
    start.putInt(Qcow2Header.HEADER_LENGTH_AT, fields).putLong(Qcow2Header.V3_LENGTH, 42);
    start.putLong(Qcow2Header.COMPATIBLE_FEATURES_AT, 1L << 40);
    long nameAt = start.getLong(Qcow2Header.BACKING_NAME_OFFSET_AT) + 16;
    int end = (int) nameAt - HeaderExtensions.RECORD_HEAD;
    start.putInt(end, 0x12345678).putInt(end + 4, 3).putInt(end + 8, 0x61626300);
    start.putLong(end + 16 - 4, 0).putLong(end + 16, 0);
    start.putLong(Qcow2Header.BACKING_NAME_OFFSET_AT, 0);
    image.write(0, start);
    MemoryInstance host = MemoryInstance.file(image, 1);

    new AmendCase("", false, false, "backing_file=b,backing_fmt=raw,lazy_refcounts=on").amend(host);

    FirstCluster after = AmendCase.firstCluster(host.content());
    assertThat(after.header().compatibleFeatures()).isEqualTo(1L << 40 | 1);
    assertThat(after.header().headerLength()).isEqualTo(fields);
    assertThat(after.bytes().getLong(Qcow2Header.V3_LENGTH)).isEqualTo(42);
    assertThat(after.backingName()).isEqualTo("b");
    assertThat(after.extensions().unknown())
        .containsExactly(
            new HeaderExtensions.Unknown(0x12345678, ByteBuffer.wrap(new byte[] {97, 98, 99})));
  }

  @Test
  void aDataFileIsRenamedAndNeedNotStayRaw() throws IOException {
    Path file = folder.resolve("image.qcow2");
    QemuImg.create(file, "1M", "data_file=" + folder.resolve("a.raw") + ",data_file_raw=on");
    Files.copy(folder.resolve("a.raw"), folder.resolve("b.raw"));

    BlockLayer.amend(
        file.toString(), "qcow2", Map.of("data_file", folder + "/b.raw", "data_file_raw", "off"));

    assertThat(AmendCase.info(file)).contains("/b.raw\"", "\"data-file-raw\": false");
    QemuImg.requireClean(file, "renamed");
  }

  @Test
  void aDirtyImageIsSettledFirst() throws IOException {
    Path file = folder.resolve("image.qcow2");
    QemuImg.create(file, "4M", "lazy_refcounts=on");
    QemuImg.Result died =
        QemuImg.run(
            List.of(
                "qemu-io",
                "-f",
                "qcow2",
                "-c",
                "write -P 2 0 900k",
                "-c",
                "flush",
                "-c",
                "abort",
                file.toString()));
    assertThat(died.exitCode()).isNotZero();

    BlockLayer.amend(file.toString(), "qcow2", Map.of("lazy_refcounts", "off"));

    QemuImg.requireClean(file, "settled");
    assertThat(AmendCase.info(file)).contains("\"lazy-refcounts\": false");
    assertThat(AmendCase.firstCluster(Images.load(file)).header().incompatibleFeatures()).isZero();
  }

  /** Bounded memory means many rounds for many clusters. */
  @Test
  void zerosAreExpandedInRounds() throws IOException {
    AmendCase one = new AmendCase("cluster_size=512", true, true, "compat=0.10");
    PagedBytes image = Images.load(one.create(folder));
    List<ByteBuffer> guest = AmendCase.guest(image, one.backing());
    MemoryInstance host = MemoryInstance.file(image, 1);

    new ZeroExpansion(new AmendRules("x"), new MemoryChild(host), true, 3).run();

    assertThat(AmendCase.guest(host.content(), one.backing())).isEqualTo(guest);
    assertThat(Qcow2Checker.check(host.content())).matches(Qcow2Checker.Findings::isClean);
    one.amend(host);
    assertThat(AmendCase.guest(host.content(), one.backing())).isEqualTo(guest);
  }

  /** More clusters of zeros than the refcount blocks count need new ones, and a new table. */
  @Test
  void refcountsThatMoveLeaveNothingBehind() throws IOException {
    AmendCase one = new AmendCase("cluster_size=512", true, false, "compat=0.10");
    Path file = one.create(folder);
    QemuImg.img("resize", "-q", "-f", "qcow2", file, "1M");
    QemuImg.io(file, "write -z 0 1M");

    BlockLayer.amend(file.toString(), "qcow2", one.map());

    QemuImg.requireClean(file, one);
  }

  /** A refcount that came down would make a flag wrong that nobody has set. */
  @Test
  void whatLeaksInPartLeaksInOtherWidthsToo() throws IOException {
    Path file = folder.resolve("image.qcow2");
    QemuImg.create(file, "1M", "cluster_size=64k");
    QemuImg.io(file, "write 0 64k");
    PagedBytes image = Images.load(file);
    long l2 = L1Entry.l2Offset(image.getLong(image.getLong(Qcow2Header.L1_TABLE_OFFSET_AT)));
    long data = L2Entry.hostOffset(image.getLong(l2));
    image.write(l2, ByteBuffer.allocate(8).putLong(0, data));
    image.write(0x20000 + (data >> 15), ByteBuffer.wrap(new byte[] {0, 2}));
    MemoryInstance host = MemoryInstance.file(image, 1);

    new AmendCase("", false, false, "refcount_bits=64").amend(host);

    Qcow2Checker.Findings findings = Qcow2Checker.check(host.content());
    assertThat(findings.corruptions()).isEmpty();
    assertThat(findings.leaks()).isEqualTo(1);
  }
}
