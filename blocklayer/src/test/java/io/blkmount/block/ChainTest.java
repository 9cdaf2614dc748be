// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.blkmount.block.backend.BlockBackend;
import io.blkmount.block.driver.BackingReference;
import io.blkmount.block.driver.CreateOptions;
import io.blkmount.block.driver.Extent;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import io.blkmount.block.open.CacheMode;
import io.blkmount.block.open.ImageOptions;
import io.blkmount.block.open.OpenOptions;
import io.blkmount.block.testing.DiskModel;
import io.blkmount.block.testing.Images;
import io.blkmount.block.testing.QemuImg;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Chains of real images, from their names to the bytes that qemu-img finds in them. */
final class ChainTest {
  private static final int LENGTH = 4 << 20;

  @TempDir Path directory;

  private String path(String name) {
    return directory.resolve(name).toString();
  }

  private OpenOptions options(String name) {
    return OpenOptions.of(path(name));
  }

  private byte[] rawBase(String name, int length) throws IOException {
    byte[] content = DiskModel.pattern(length, length);
    Files.write(directory.resolve(name), content);
    return content;
  }

  private void overlay(String name, String base, String format) throws IOException {
    BackingReference backing = new BackingReference(base, format);
    BlockLayer.create(path(name), "qcow2", new CreateOptions(-1, backing, Map.of()));
  }

  private static ByteBuffer read(BlockBackend disk, long offset, int length) throws IOException {
    ByteBuffer target = ByteBuffer.allocateDirect(length);
    disk.read(offset, target);
    return target.flip();
  }

  private static byte[] readAll(BlockBackend disk) throws IOException {
    byte[] content = new byte[Math.toIntExact(disk.length())];
    read(disk, 0, content.length).get(content);
    return content;
  }

  private void requireSameAsQemu(String name, byte[] expected) throws IOException {
    QemuImg.requireClean(directory.resolve(name), name);
    Path raw = Files.write(directory.resolve("expected.raw"), expected);
    QemuImg.requireSame(directory.resolve(name), raw, name);
  }

  @ParameterizedTest
  @EnumSource(CacheMode.class)
  void overlayHoldsWhatIsWrittenAndTheBaseStaysAsItIs(CacheMode cache) throws IOException {
    byte[] expected = rawBase("base.raw", LENGTH);
    overlay("top.qcow2", "base.raw", "raw");

    try (BlockBackend disk = BlockLayer.open(options("top.qcow2").withCache(cache))) {
      ByteBuffer bytes = Images.bytes(200_001, 9);
      disk.write(123_457, bytes.duplicate());
      bytes.get(expected, 123_457, 200_001);
      disk.writeZeroes(1_000_001, 300_000, true);
      Arrays.fill(expected, 1_000_001, 1_300_001, (byte) 0);
      disk.flush();
      assertThat(readAll(disk)).isEqualTo(expected);
    }

    requireSameAsQemu("top.qcow2", expected);
    assertThat(Files.readAllBytes(directory.resolve("base.raw")))
        .isEqualTo(DiskModel.pattern(LENGTH, LENGTH));
  }

  @Test
  void shorterBaseReadsAsZerosPastItsOddEnd() throws IOException {
    byte[] base = rawBase("base.raw", (1 << 20) + 512);
    BackingReference backing = new BackingReference("base.raw", null);
    BlockLayer.create(path("top.qcow2"), "qcow2", new CreateOptions(LENGTH, backing, Map.of()));
    byte[] expected = Arrays.copyOf(base, LENGTH);

    try (BlockBackend disk = BlockLayer.open(options("top.qcow2"))) {
      assertThat(readAll(disk)).isEqualTo(expected);
      Extent end = disk.extentAt((1 << 20) + 512, LENGTH);
      assertThat(end.readsAsZero()).isTrue();
      assertThat(end.end()).isEqualTo(LENGTH);

      disk.write(1 << 20, Images.bytes(100, 1));
      Images.bytes(100, 1).get(expected, 1 << 20, 100);
      assertThat(readAll(disk)).isEqualTo(expected);
    }
    requireSameAsQemu("top.qcow2", expected);
  }

  @Test
  void twoOverlaysShareOneBase() throws IOException {
    byte[] base = rawBase("base.raw", LENGTH);
    overlay("a.qcow2", "base.raw", "raw");
    overlay("b.qcow2", path("base.raw"), "raw");

    try (BlockBackend a = BlockLayer.open(options("a.qcow2"));
        BlockBackend b = BlockLayer.open(options("b.qcow2"))) {
      a.write(70_000, Images.bytes(1000, 1));
      b.write(70_500, Images.bytes(1000, 2));

      assertThat(read(a, 70_000, 1000)).isEqualTo(Images.bytes(1000, 1));
      assertThat(read(b, 70_500, 1000)).isEqualTo(Images.bytes(1000, 2));
      assertThat(read(b, 70_000, 500)).isEqualTo(ByteBuffer.wrap(base, 70_000, 500));
    }
    QemuImg.requireClean(directory.resolve("a.qcow2"), "a");
    QemuImg.requireClean(directory.resolve("b.qcow2"), "b");
  }

  @Test
  void imageInUseIsRefusedASecondTime() throws IOException {
    BlockLayer.create(path("top.qcow2"), "qcow2", CreateOptions.ofLength(LENGTH));
    try (BlockBackend disk = BlockLayer.open(options("top.qcow2"))) {
      disk.write(0, Images.bytes(1, 1));
      assertThatThrownBy(() -> BlockLayer.open(options("top.qcow2")))
          .extracting(failure -> ((BlockException) failure).error())
          .isEqualTo(BlockError.LOCKED);
      try (BlockBackend beside = BlockLayer.open(options("top.qcow2").withForceShare(true))) {
        assertThat(beside.writable()).isFalse();
      }
    }
  }

  @Test
  void internalSnapshotIsShownAndMayBeOverlaid() throws IOException {
    byte[] base = rawBase("base.raw", LENGTH);
    overlay("top.qcow2", "base.raw", "raw");
    Path top = directory.resolve("top.qcow2");
    QemuImg.io(top, "write -P 1 64k 64k");
    QemuImg.img("snapshot", "-c", "day1", top);
    QemuImg.io(top, "write -P 2 0 256k");
    Arrays.fill(base, 64 << 10, 128 << 10, (byte) 1);
    byte[] file = Files.readAllBytes(top);
    OpenOptions day1 = options("top.qcow2").withImageOption("internal-snapshot", "day1");

    try (BlockBackend disk = BlockLayer.open(day1.withReadOnly(true))) {
      assertThat(read(disk, 0, LENGTH)).isEqualTo(ByteBuffer.wrap(base));
    }
    try (BlockBackend disk = BlockLayer.open(day1.withSnapshot(true))) {
      disk.write(1000, Images.bytes(5, 1));
      Images.bytes(5, 1).get(base, 1000, 5);
      assertThat(read(disk, 0, LENGTH)).isEqualTo(ByteBuffer.wrap(base));
    }

    assertThat(Files.readAllBytes(top)).isEqualTo(file);
  }

  @ParameterizedTest(name = "{0}")
  @ValueSource(strings = {"odd.raw", "top.qcow2"})
  void snapshotTakesWritesAndForgetsThem(String name) throws IOException {
    byte[] expected = rawBase("odd.raw", 1_000_001);
    overlay("top.qcow2", "odd.raw", "raw");
    byte[] file = Files.readAllBytes(directory.resolve(name));

    try (BlockBackend disk = BlockLayer.open(options(name).withSnapshot(true))) {
      expected = Arrays.copyOf(expected, Math.toIntExact(disk.length()));
      assertThat(disk.writable()).isTrue();
      assertThat(disk.format()).isEqualTo(name.endsWith("raw") ? "raw" : "qcow2");
      disk.write(500_000, Images.bytes(500_001, 4));
      Images.bytes(500_001, 4).get(expected, 500_000, 500_001);
      disk.writeZeroes(10, 100_000, true);
      Arrays.fill(expected, 10, 100_010, (byte) 0);
      disk.flush();
      assertThat(readAll(disk)).isEqualTo(expected);
    }

    assertThat(Files.readAllBytes(directory.resolve(name))).isEqualTo(file);
    try (Stream<Path> left = Files.list(Path.of("/var/tmp"))) {
      assertThat(left.filter(path -> path.getFileName().toString().startsWith("blkmount-")))
          .isEmpty();
    }
  }

  @Test
  void copyOnReadStoresWhatWasRead() throws IOException {
    byte[] base = rawBase("base.raw", LENGTH);
    overlay("top.qcow2", "base.raw", "raw");

    try (BlockBackend disk = BlockLayer.open(options("top.qcow2").withCopyOnRead(true))) {
      assertThat(disk.extentAt(100_000, 1).depth()).isEqualTo(1);
      read(disk, 100_000, 1);
      assertThat(disk.extentAt(100_000, 1).depth()).isZero();
      assertThat(readAll(disk)).isEqualTo(base);
    }

    requireSameAsQemu("top.qcow2", base);
  }

  @Test
  void thousandLayersAreReadAndWritten() throws IOException {
    byte[] expected = rawBase("layer0", 1 << 20);
    overlay("layer1", "layer0", "raw");
    BlockLayer.create(path("empty"), "qcow2", CreateOptions.ofLength(1 << 20));
    byte[] empty = Files.readAllBytes(directory.resolve("empty"));
    for (int i = 2; i < 1000; i++) {
      Files.write(directory.resolve("layer" + i), withBacking(empty, "layer" + (i - 1)));
    }

    try (BlockBackend disk = BlockLayer.open(options("layer999"))) {
      assertThat(disk.extentAt(0, 1 << 20).depth()).isEqualTo(999);
      assertThat(readAll(disk)).isEqualTo(expected);
      disk.write(70_000, Images.bytes(10, 1));
      Images.bytes(10, 1).get(expected, 70_000, 10);
      assertThat(readAll(disk)).isEqualTo(expected);
    }
  }

  /** Puts a backing name into an empty image: to create each overlay would take minutes. */
  private static byte[] withBacking(byte[] empty, String backing) {
    byte[] name = backing.getBytes(StandardCharsets.US_ASCII);
    ByteBuffer image = ByteBuffer.wrap(empty.clone());
    image.putLong(8, 4096).putInt(16, name.length).put(4096, name);
    return image.array();
  }

  @Test
  void missingBackingFileIsNamed() throws IOException {
    QemuImg.img(
        "create",
        "-q",
        "-u",
        "-f",
        "qcow2",
        "-b",
        "base.qcow2",
        "-F",
        "qcow2",
        path("top.qcow2"),
        "1M");

    assertThatThrownBy(() -> BlockLayer.open(options("top.qcow2")))
        .hasMessage(
            "cannot open backing file \"base.qcow2\" of \"%s\": no such file (looked in %s)",
            path("top.qcow2"), directory);
  }

  @Test
  void loopOfImagesIsRefused() throws IOException {
    QemuImg.img("create", "-q", "-u", "-f", "qcow2", "-b", "b", "-F", "qcow2", path("a"), "1M");
    QemuImg.img("create", "-q", "-u", "-f", "qcow2", "-b", "a", "-F", "qcow2", path("b"), "1M");

    assertThatThrownBy(() -> BlockLayer.open(options("a")))
        .hasMessageEndingWith(
            "backing files form a loop: %s -> %s -> %s", path("a"), path("b"), path("a"));
  }

  @Test
  void backingFormatRawIsBelievedWhateverTheBaseLooksLike() throws IOException {
    QemuImg.create(directory.resolve("base"), "1M", "");
    long length = Files.size(directory.resolve("base"));
    overlay("top.qcow2", "base", "raw");

    try (BlockBackend disk = BlockLayer.open(options("top.qcow2"))) {
      assertThat(disk.length()).isBetween(length, length + 511);
      assertThat(read(disk, 0, 3)).isEqualTo(ByteBuffer.wrap(new byte[] {'Q', 'F', 'I'}));
    }
  }

  @Test
  void probedRawImageTakesNoQcow2Header() throws IOException {
    QemuImg.create(directory.resolve("evil.qcow2"), "1M", "");
    byte[] header = Arrays.copyOf(Files.readAllBytes(directory.resolve("evil.qcow2")), 512);
    BlockLayer.create(path("disk"), "raw", CreateOptions.ofLength(1 << 20));

    try (BlockBackend disk = BlockLayer.open(options("disk"))) {
      assertThatThrownBy(() -> disk.write(0, ByteBuffer.wrap(header)))
          .hasMessage(
              "write refused: it would make \"%s\", which was probed as raw, look like qcow2;"
                  + " -f raw allows it",
              path("disk"))
          .extracting(failure -> ((BlockException) failure).error())
          .isEqualTo(BlockError.NOT_PERMITTED);
      disk.write(512, ByteBuffer.wrap(header));
    }
    try (BlockBackend disk = BlockLayer.open(options("disk").withFormat("raw"))) {
      disk.write(0, ByteBuffer.wrap(header));
    }
  }

  @Test
  void optionsDescribeAChain() throws IOException {
    byte[] base = rawBase("base,1.raw", LENGTH);
    overlay("top.qcow2", "base,1.raw", "raw");
    String text =
        "driver=qcow2,file.driver=file,file.filename="
            + path("top.qcow2")
            + ",backing.driver=raw,backing.file.driver=file,backing.file.filename="
            + path("base,,1.raw")
            + ",discard=unmap,detect-zeroes=on,cache.direct=off,cache.no-flush=on,read-only=off";

    OpenOptions options = OpenOptions.ofImageOptions(ImageOptions.parse(text));
    try (BlockBackend disk = BlockLayer.open(options)) {
      assertThat(readAll(disk)).isEqualTo(base);
      disk.write(0, ByteBuffer.allocate(65536));
      assertThat(disk.extentAt(0, 65536).kind()).isEqualTo(Extent.Kind.ZERO);
      assertThat(disk.imageName()).isEqualTo(path("top.qcow2"));
    }
  }

  @Test
  void newOverlayTakesLengthAndProbedFormatOfItsBase() throws IOException {
    QemuImg.create(directory.resolve("base.qcow2"), "3M", "");
    overlay("top.qcow2", "base.qcow2", null);

    String info = QemuImg.img("info", "--output=json", path("top.qcow2"));
    assertThat(info)
        .contains("\"virtual-size\": 3145728", "\"backing-filename-format\": \"qcow2\"");
    assertThatThrownBy(() -> overlay("base.qcow2", "base.qcow2", null))
        .hasMessage("new image \"%s\": is a file of its own backing chain", path("base.qcow2"));
    assertThatThrownBy(() -> overlay("base.qcow2", "top.qcow2", null))
        .hasMessage("new image \"%s\": is a file of its own backing chain", path("base.qcow2"));
    assertThatThrownBy(() -> overlay("other.qcow2", "none", null))
        .isInstanceOf(BlockException.class);
    assertThat(directory.resolve("other.qcow2")).doesNotExist();
    QemuImg.requireClean(directory.resolve("base.qcow2"), "base");
  }
}
