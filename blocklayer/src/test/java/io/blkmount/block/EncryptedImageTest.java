// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.blkmount.block.backend.BlockBackend;
import io.blkmount.block.driver.Extent;
import io.blkmount.block.driver.KeySource;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import io.blkmount.block.open.OpenOptions;
import io.blkmount.block.testing.DiskModel;
import io.blkmount.block.testing.Images;
import io.blkmount.block.testing.QemuImg;
import io.blkmount.block.testing.TestKey;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Encrypted images of QEMU are read and written with the right key, and with no other. */
final class EncryptedImageTest {
  private static final String LUKS = "encrypt.format=luks,encrypt.iter-time=10";
  private static final int LENGTH = 1 << 20;

  @TempDir Path folder;
  private Path image;

  @BeforeEach
  void nameImage() {
    image = folder.resolve("disk.qcow2");
  }

  private static OpenOptions options(Path file) {
    return OpenOptions.of(file.toString()).withKeys(TestKey.SOURCE);
  }

  private static byte[] content(OpenOptions options) throws IOException {
    try (BlockBackend disk = BlockLayer.open(options.withReadOnly(true))) {
      ByteBuffer all = ByteBuffer.allocateDirect((int) disk.length());
      disk.read(0, all);
      byte[] bytes = new byte[all.capacity()];
      all.get(0, bytes);
      return bytes;
    }
  }

  private static void assertFails(ThrowingCallable call, BlockError error, String message) {
    assertThatThrownBy(call)
        .isInstanceOfSatisfying(BlockException.class, e -> assertThat(e.error()).isEqualTo(error))
        .hasMessageContaining(message);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        LUKS,
        "compat=0.10,encrypt.format=aes",
        LUKS + ",extended_l2=on,cluster_size=128k",
        "encrypt.format=aes,cluster_size=512",
        LUKS + ",compat=0.10,cluster_size=4k",
        LUKS
            + ",cluster_size=512,encrypt.cipher-alg=aes-128,encrypt.cipher-mode=cbc,"
            + "encrypt.ivgen-alg=essiv,encrypt.ivgen-hash-alg=sha256,encrypt.hash-alg=sha1",
        LUKS
            + ",cluster_size=2M,encrypt.cipher-alg=aes-192,encrypt.cipher-mode=xts,"
            + "encrypt.ivgen-alg=plain,encrypt.hash-alg=sha512",
        LUKS
            + ",refcount_bits=1,encrypt.cipher-alg=aes-128,encrypt.cipher-mode=ctr,"
            + "encrypt.ivgen-alg=plain64,encrypt.hash-alg=sha224",
        LUKS
            + ",encrypt.cipher-alg=aes-256,encrypt.cipher-mode=ecb,"
            + "encrypt.ivgen-alg=plain,encrypt.hash-alg=sha384",
        LUKS
            + ",lazy_refcounts=on,encrypt.cipher-alg=aes-256,encrypt.cipher-mode=xts,"
            + "encrypt.ivgen-alg=essiv,encrypt.ivgen-hash-alg=md5,encrypt.hash-alg=md5",
      })
  void whatOneWritesTheOtherReads(String options) throws IOException {
    QemuImg.createEncrypted(image, String.valueOf(LENGTH), options);
    DiskModel model = new DiskModel(LENGTH);
    QemuImg.ioEncrypted(image, "write -P 0x5a 70000 200000");
    byte[] written = new byte[200_000];
    Arrays.fill(written, (byte) 0x5a);
    model.write(70_000, ByteBuffer.wrap(written));

    byte[] read = content(options(image));
    try (BlockBackend disk = BlockLayer.open(options(image))) {
      write(disk, model, 100_001, 300_007);
      write(disk, model, 0, 512);
      write(disk, model, LENGTH - 4096, 4096);
      disk.writeZeroes(150_000, 100_000, true);
      model.writeZeroes(150_000, 100_000);
    }

    DiskModel before = new DiskModel(LENGTH);
    before.write(70_000, ByteBuffer.wrap(written));
    assertThat(read).isEqualTo(before.bytes(0, LENGTH));
    assertThat(content(options(image))).isEqualTo(model.bytes(0, LENGTH));
    QemuImg.requireClean(image, options);
    QemuImg.requireSame(image, raw(model.bytes(0, LENGTH)), options);
  }

  private static void write(BlockBackend disk, DiskModel model, int offset, int length)
      throws IOException {
    ByteBuffer bytes = Images.bytes(length, offset);
    model.write(offset, bytes.duplicate());
    disk.write(offset, bytes);
  }

  private Path raw(byte[] bytes) throws IOException {
    return Files.write(folder.resolve("expected.raw"), bytes);
  }

  @Test
  void whatIsStoredIsNotWhatWasWritten() throws IOException {
    QemuImg.createEncrypted(image, "1M", LUKS);
    byte[] mark = "nobody shall find this".getBytes(StandardCharsets.US_ASCII);

    try (BlockBackend disk = BlockLayer.open(options(image))) {
      disk.write(5000, ByteBuffer.wrap(mark));
    }

    assertThat(indexOf(Files.readAllBytes(image), mark)).isNegative();
    assertThat(indexOf(content(options(image)), mark)).isEqualTo(5000);
  }

  private static int indexOf(byte[] bytes, byte[] wanted) {
    String text = new String(bytes, StandardCharsets.ISO_8859_1);
    return text.indexOf(new String(wanted, StandardCharsets.ISO_8859_1));
  }

  @Test
  void theCallersBytesStayAsTheyWere() throws IOException {
    QemuImg.createEncrypted(image, "8M", LUKS);
    ByteBuffer bytes = Images.bytes(5 << 20, 1);
    ByteBuffer copy = Images.bytes(5 << 20, 1);

    try (BlockBackend disk = BlockLayer.open(options(image))) {
      disk.write(0, bytes);
      assertThat(bytes.flip()).isEqualTo(copy);
      disk.write(4096, bytes); // over what is there
      assertThat(bytes.flip()).isEqualTo(copy);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {LUKS, "encrypt.format=aes"})
  void withoutAKeyThereIsOneClearError(String options) throws IOException {
    QemuImg.createEncrypted(image, "1M", options);

    String expected = "image \"" + image + "\" is encrypted (";
    assertFails(
        () -> BlockLayer.open(OpenOptions.of("" + image)), BlockError.ACCESS_DENIED, expected);
  }

  @Test
  void aWrongKeyIsOneClearErrorThatDoesNotSayIt() throws IOException {
    QemuImg.createEncrypted(image, "1M", LUKS);
    byte[] wrong = "hunter2".getBytes(StandardCharsets.US_ASCII);

    assertThatThrownBy(() -> BlockLayer.open(options(image).withKeys(name -> wrong)))
        .isInstanceOf(BlockException.class)
        .hasMessage(
            "image \""
                + image
                + "\": wrong key: the passphrase opens none of the 1 active LUKS key slots")
        .hasNoCause();
    assertThat(wrong).containsOnly(0);
  }

  @Test
  void theKeyIsAskedForOnceForEachLayerAndWiped() throws IOException {
    Path base = folder.resolve("base.qcow2");
    QemuImg.createEncrypted(base, "1M", LUKS);
    QemuImg.createEncrypted(
        image, "1M", "encrypt.format=aes,backing_fmt=qcow2,backing_file=" + locked(base));
    List<String> asked = new ArrayList<>();
    List<byte[]> given = new ArrayList<>();
    KeySource keys =
        name -> {
          asked.add(name);
          given.add(TestKey.bytes());
          return given.get(given.size() - 1);
        };

    content(options(image).withKeys(keys));

    assertThat(asked).containsExactly(image.toString(), base.toString());
    assertThat(given).allSatisfy(key -> assertThat(key).containsOnly(0));
  }

  /** Returns the name of an image for a header; nobody looks at it while qemu-img creates. */
  private static String locked(Path file) {
    return file.getFileName().toString();
  }

  @Test
  void anOverlayAndItsBackingFileHaveKeysOfTheirOwn() throws IOException {
    Path base = folder.resolve("base.qcow2");
    QemuImg.createEncrypted(base, "1M", LUKS + ",cluster_size=4k");
    QemuImg.ioEncrypted(base, "write -P 7 0 300000");
    createOverlay(base, "other");
    KeySource keys = name -> name.equals(base.toString()) ? TestKey.bytes() : ascii("other");
    DiskModel model = new DiskModel(LENGTH);
    byte[] sevens = new byte[300_000];
    Arrays.fill(sevens, (byte) 7);
    model.write(0, ByteBuffer.wrap(sevens));

    try (BlockBackend disk = BlockLayer.open(options(image).withKeys(keys))) {
      write(disk, model, 1000, 77);
      write(disk, model, 290_000, 30_000);
    }

    assertThat(content(options(image).withKeys(keys))).isEqualTo(model.bytes(0, LENGTH));
    assertThat(content(options(base)))
        .isEqualTo(Arrays.copyOf(Arrays.copyOf(sevens, 300_000), LENGTH));
    compareOverlayWithQemu(base, model);
  }

  private static byte[] ascii(String text) {
    return text.getBytes(StandardCharsets.US_ASCII);
  }

  private void createOverlay(Path base, String key) {
    QemuImg.img(
        "create",
        "-q",
        "-u",
        "--object",
        "secret,id=own,data=" + key,
        "-f",
        "qcow2",
        "-b",
        base,
        "-F",
        "qcow2",
        "-o",
        LUKS + ",encrypt.key-secret=own",
        image,
        "1M");
  }

  private void compareOverlayWithQemu(Path base, DiskModel model) throws IOException {
    String chain =
        "driver=qcow2,encrypt.key-secret=own,file.driver=file,file.filename="
            + image
            + ",backing.driver=qcow2,backing.encrypt.key-secret=key,backing.file.driver=file,"
            + "backing.file.filename="
            + base;
    Path raw = folder.resolve("qemu.raw");
    QemuImg.img(
        "convert",
        "--object",
        TestKey.QEMU_OBJECT,
        "--object",
        "secret,id=own,data=other",
        "--image-opts",
        chain,
        "-O",
        "raw",
        raw);
    assertThat(Files.readAllBytes(raw)).isEqualTo(model.bytes(0, LENGTH));
  }

  @Test
  void copyOnReadEncryptsWhatItStores() throws IOException {
    Path base = folder.resolve("base.raw");
    byte[] below = DiskModel.pattern(LENGTH, 3);
    Files.write(base, below);
    QemuImg.createEncrypted(image, "1M", LUKS + ",backing_fmt=raw,backing_file=" + base);

    try (BlockBackend disk = BlockLayer.open(options(image).withCopyOnRead(true))) {
      disk.read(1000, ByteBuffer.allocateDirect(LENGTH - 1000));
    }
    Files.write(base, new byte[LENGTH]);

    assertThat(content(options(image))).isEqualTo(below);
    QemuImg.requireSame(image, raw(below), "copied up");
  }

  @Test
  void aTemporaryOverlayLeavesTheImageAlone() throws IOException {
    QemuImg.createEncrypted(image, "1M", LUKS);
    QemuImg.ioEncrypted(image, "write -P 7 0 300000");
    byte[] before = Files.readAllBytes(image);

    try (BlockBackend disk = BlockLayer.open(options(image).withSnapshot(true))) {
      disk.write(1, Images.bytes(100_000, 1));
      ByteBuffer read = ByteBuffer.allocateDirect(1);
      disk.read(200_000, read);
      assertThat(read.get(0)).isEqualTo((byte) 7);
    }

    assertThat(Files.readAllBytes(image)).isEqualTo(before);
  }

  @Test
  void lockedImagesShowTheirShapeAndNoData() throws IOException {
    QemuImg.createEncrypted(image, "1M", LUKS);
    QemuImg.ioEncrypted(image, "write -P 7 0 65536");
    OpenOptions locked = options(image).withKeys(KeySource.LOCKED);

    try (BlockBackend disk = BlockLayer.open(locked)) {
      assertThat(disk.length()).isEqualTo(LENGTH);
      assertThat(disk.extentAt(0, LENGTH).kind()).isEqualTo(Extent.Kind.DATA);
      assertFails(
          () -> disk.read(0, ByteBuffer.allocateDirect(512)),
          BlockError.ACCESS_DENIED,
          image + ": the image is encrypted and was opened without its key");
      assertFails(
          () -> disk.write(LENGTH / 2, Images.bytes(512, 1)),
          BlockError.ACCESS_DENIED,
          "opened without its key");
    }
    QemuImg.requireClean(image, "locked");
  }

  @Test
  void extentsHaveNoPlaceInTheFile() throws IOException {
    QemuImg.createEncrypted(image, "1M", LUKS);
    QemuImg.ioEncrypted(image, "write -P 7 0 65536");

    try (BlockBackend disk = BlockLayer.open(options(image))) {
      assertThat(disk.extentAt(0, LENGTH).hostOffset()).isEqualTo(Extent.NO_HOST_OFFSET);
      assertThatThrownBy(disk::lendFile).hasMessageContaining("its format is qcow2");
    }
  }

  @Test
  void anotherEncryptionThanWantedIsRefused() throws IOException {
    QemuImg.createEncrypted(image, "1M", LUKS);
    Map<String, String> wanted =
        Map.of("driver", "qcow2", "file.filename", image.toString(), "encrypt.format", "aes");

    assertFails(
        () -> BlockLayer.open(OpenOptions.ofImageOptions(wanted).withKeys(TestKey.SOURCE)),
        BlockError.INVALID,
        "encrypt.format=aes, but its encryption is luks");
  }

  @ParameterizedTest
  @ValueSource(strings = {"luks", "aes"})
  void internalSnapshotsAreDecrypted(String format) throws IOException {
    QemuImg.createEncrypted(image, "1M", "encrypt.format=" + format + iterations(format));
    QemuImg.ioEncrypted(image, "write -P 7 0 300000");
    QemuImg.onImage(image, "snapshot", "-c", "first");
    byte[] before = content(options(image));

    try (BlockBackend disk = BlockLayer.open(options(image))) {
      disk.write(5, Images.bytes(200_000, 1));
    }

    assertThat(content(options(image).withImageOption("internal-snapshot", "first")))
        .isEqualTo(before);
    QemuImg.requireClean(image, "after writing beside a snapshot");
  }

  private static String iterations(String format) {
    return format.equals("luks") ? ",encrypt.iter-time=10" : "";
  }

  @Test
  void dataOutsideIsEncryptedToo() throws IOException {
    Path data = folder.resolve("guest.data");
    QemuImg.createEncrypted(image, "1M", LUKS + ",data_file=" + data);
    QemuImg.ioEncrypted(image, "write -P 7 0 300000");
    DiskModel model = new DiskModel(LENGTH);
    byte[] sevens = new byte[300_000];
    Arrays.fill(sevens, (byte) 7);
    model.write(0, ByteBuffer.wrap(sevens));

    try (BlockBackend disk = BlockLayer.open(options(image).withResizable(true))) {
      write(disk, model, 299_999, 100_000);
      write(disk, model, LENGTH - 1, 1);
      disk.writeZeroes(65_536, 131_072, true);
      model.writeZeroes(65_536, 131_072);
    }

    assertThat(content(options(image))).isEqualTo(model.bytes(0, LENGTH));
    QemuImg.requireClean(image, "data outside");
    QemuImg.requireSame(image, raw(model.bytes(0, LENGTH)), "data outside");
  }
}
