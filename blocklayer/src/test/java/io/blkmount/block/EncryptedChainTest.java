// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.backend.BlockBackend;
import io.blkmount.block.driver.KeySource;
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
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Encrypted images above, below and beside others. */
final class EncryptedChainTest extends EncryptedFixture {
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
