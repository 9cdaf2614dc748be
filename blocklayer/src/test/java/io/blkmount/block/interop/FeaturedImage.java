// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.interop;

import io.blkmount.block.BlockLayer;
import io.blkmount.block.backend.BlockBackend;
import io.blkmount.block.driver.BackingReference;
import io.blkmount.block.driver.CreateOptions;
import io.blkmount.block.driver.NewSnapshot;
import io.blkmount.block.open.OpenOptions;
import io.blkmount.block.testing.DiskModel;
import io.blkmount.block.testing.QemuImg;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** Puts one row of the matrix into a folder: an image with some content, made by qemu-img. */
final class FeaturedImage {
  /** Not a whole number of any cluster. */
  static final int LENGTH = (3 << 20) + 1024;

  static final String PASSPHRASE = "secret";

  private final MatrixRow row;
  private final Path folder;
  private final QemuView view;

  FeaturedImage(MatrixRow row, Path folder) throws IOException {
    this.row = row;
    this.folder = folder;
    Path image = folder.resolve("image.qcow2");
    if (row.feature().isEncrypted()) {
      Path key = Files.writeString(folder.resolve("key"), PASSPHRASE);
      this.view = new QemuView(image, key, format());
    } else {
      this.view = new QemuView(image);
    }
  }

  QemuView view() {
    return view;
  }

  private String format() {
    return row.feature() == Feature.LUKS ? "luks" : "aes";
  }

  /** Has qemu-img make the image. */
  void makeByQemu() throws IOException {
    if (row.feature() == Feature.ZSTD_CLUSTERS || row.feature() == Feature.ZLIB_CLUSTERS) {
      convertCompressed();
    } else {
      createByQemu();
      fill();
    }
    new FeaturePokes(view.image()).apply(row.feature());
  }

  private void convertCompressed() throws IOException {
    Path raw = folder.resolve("source.raw");
    Files.write(raw, compressible());
    QemuImg.img(
        "convert", "-c", "-f", "raw", "-O", "qcow2", "-o", row.options(), raw, view.image());
  }

  /** Every other 4 KiB compress well, the rest not at all. */
  private static byte[] compressible() {
    byte[] bytes = new byte[LENGTH];
    for (int at = 0; at < LENGTH / 2; at += 4096) {
      System.arraycopy(DiskModel.pattern(4096, at), 0, bytes, at, at % 8192 == 0 ? 700 : 4096);
    }
    return bytes;
  }

  private void createByQemu() throws IOException {
    String options = row.options().replace("guest.data", folder.resolve("guest.data").toString());
    if (row.feature().isEncrypted()) {
      options += ",encrypt.key-secret=key,encrypt.format=" + format();
      options += row.feature() == Feature.LUKS ? ",encrypt.iter-time=10" : "";
    }
    if (row.feature().hasBacking()) {
      BackingReference base = makeBacking();
      view.create(options, LENGTH, "-b", base.name(), "-F", String.valueOf(base.format()));
    } else {
      view.create(options, row.feature() == Feature.EMPTY_DISK ? 0 : LENGTH);
    }
  }

  /** Makes the image here. */
  void makeHere() throws IOException {
    Map<String, String> values = row.feature().optionValues();
    values.put("compat", row.compat());
    values.put("cluster_size", String.valueOf(row.clusterSize()));
    values.put("refcount_bits", String.valueOf(row.refcountBits()));
    values.computeIfPresent("data_file", (name, file) -> folder.resolve(file).toString());
    if (row.feature().isEncrypted()) {
      values.put("encrypt.format", format());
    }
    if (row.feature() == Feature.LUKS) {
      values.put("encrypt.iter-time", "10");
    }
    BackingReference backing = row.feature().hasBacking() ? makeBacking() : null;
    long length = row.feature() == Feature.EMPTY_DISK ? 0 : LENGTH;
    BlockLayer.create(
        view.image().toString(),
        "qcow2",
        new CreateOptions(length, backing, values).withKeys(FeaturedImage::key));
    if (row.feature().hasSnapshot() || row.feature().hasBitmap()) {
      try (BlockBackend disk = BlockLayer.open(OpenOptions.of(view.image().toString()))) {
        fillHere(disk);
      }
    }
  }

  /** Takes the state before the snapshot that keeps it, or adds a bitmap between two writes. */
  private void fillHere(BlockBackend disk) throws IOException {
    disk.write(0, filled(1 << 20, 1));
    if (row.feature().hasBitmap()) {
      disk.bitmaps().addBitmap("changes", 65536, row.feature() == Feature.ENABLED_BITMAP);
    } else {
      int state = row.feature() == Feature.VM_STATE ? FeaturePokes.STATE : 0;
      disk.vmState().writeVmState(0, filled(state, 9));
      disk.internalSnapshots()
          .createSnapshot(new NewSnapshot("first", Instant.EPOCH, 5, NewSnapshot.NO_ICOUNT, state));
    }
    disk.write(100 << 10, filled(300 << 10, 5));
  }

  static ByteBuffer filled(int length, int value) {
    ByteBuffer bytes = ByteBuffer.allocateDirect(length);
    while (bytes.hasRemaining()) {
      bytes.put((byte) value);
    }
    return bytes.flip();
  }

  /** Returns the key of any image here, as bytes that may be wiped. */
  static byte[] key(String imageName) {
    return PASSPHRASE.getBytes(StandardCharsets.UTF_8);
  }

  private BackingReference makeBacking() throws IOException {
    int length =
        switch (row.feature()) {
          case LONGER_BACKING -> LENGTH * 3 / 2 & -512;
          case SHORTER_BACKING -> LENGTH / 2 & -512;
          default -> LENGTH;
        };
    Path raw = folder.resolve("base.raw");
    Files.write(raw, DiskModel.pattern(length, row.hashCode()));
    if (row.feature() != Feature.QCOW2_BACKING) {
      return new BackingReference(raw.toString(), "raw");
    }
    Path base = folder.resolve("base.qcow2");
    QemuImg.img("convert", "-f", "raw", "-O", "qcow2", raw, base);
    return new BackingReference(base.toString(), "qcow2");
  }

  private void fill() {
    if (row.feature() == Feature.EMPTY_DISK) {
      return;
    }
    view.io("write -P 1 0 1M", "write -z 256k 128k", "discard 700k 200k", "write -P 2 2000k 5000");
    switch (row.feature()) {
      case VM_STATE -> {
        view.io("write -b -P 9 0 " + FeaturePokes.STATE);
        takeSnapshots();
      }
      case INTERNAL_SNAPSHOTS -> takeSnapshots();
      case ENABLED_BITMAP, INCONSISTENT_BITMAP -> bitmap("--add");
      case DISABLED_BITMAP -> bitmap("--add", "--disable");
      default -> {}
    }
    view.io("write -P 3 100k 64k", "write -z -u 512k 64k", "write -P 4 " + (3 << 20) + " 512");
  }

  private void takeSnapshots() {
    QemuImg.img("snapshot", "-c", "first", view.image());
    view.io("write -P 5 64k 300k", "discard 0 32k");
    QemuImg.img("snapshot", "-c", "second", view.image());
  }

  private void bitmap(String... how) {
    List<Object> arguments = new ArrayList<>(List.of("bitmap"));
    arguments.addAll(List.of(how));
    arguments.addAll(List.of("-g", "64k", view.image(), "changes"));
    QemuImg.img(arguments.toArray());
  }

  /** Returns what the guest sees, as qemu-img has it; it cannot see the rest of a sector. */
  DiskModel content() throws IOException {
    Path raw = folder.resolve("content.raw");
    view.toRaw(raw);
    byte[] bytes = Files.readAllBytes(raw);
    DiskModel model =
        new DiskModel(
            row.feature() == Feature.ODD_LENGTH ? LENGTH - FeaturePokes.ODD : bytes.length);
    model.write(0, ByteBuffer.wrap(bytes, 0, Math.min(bytes.length, model.length())));
    return model;
  }
}
