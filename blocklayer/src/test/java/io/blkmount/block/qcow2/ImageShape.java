// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.testing.Images;
import io.blkmount.block.testing.PagedBytes;
import io.blkmount.block.testing.QemuImg;
import io.blkmount.block.testing.TestKey;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/**
 * What an empty image under test looks like; qemu-img makes it, so that the driver's own creator
 * hides nothing.
 *
 * @param version 2 or 3
 * @param clusterSize in bytes
 * @param refcountBits 16 in version 2
 * @param length of the disk in bytes
 * @param backingLength of a raw backing file in bytes, or {@link #NO_BACKING}
 * @param extendedL2 whether L2 entries have subclusters
 * @param hasSnapshot whether tests that fill the image take an internal snapshot of it then
 * @param hasBitmaps whether it has persistent bitmaps: {@link #FINE}, {@link #COARSE} and {@link
 *     #DISABLED}
 * @param compression {@code zlib} or {@code zstd} if tests write clusters compressed, else null
 * @param encryption {@code luks}, {@code aes} or nothing; the key is {@link TestKey}
 */
record ImageShape(
    int version,
    int clusterSize,
    int refcountBits,
    int length,
    int backingLength,
    boolean extendedL2,
    boolean hasSnapshot,
    boolean hasBitmaps,
    @Nullable String compression,
    String encryption) {
  /** A bitmap that records, with a granule for each sector. */
  static final String FINE = "fine";

  /** A bitmap that records, with granules of 4 KiB. */
  static final String COARSE = "coarse";

  /** A bitmap that does not record, with a granule for each sector. */
  static final String DISABLED = "disabled";

  /** The image has no backing file. */
  static final int NO_BACKING = -1;

  /** Those that were made before: qemu-img times its key derivation for seconds. */
  private static final Map<ImageShape, PagedBytes> ENCRYPTED = new ConcurrentHashMap<>();

  /** Name that the header gives to the backing file; nobody opens it. */
  private static final String BACKING_NAME = "base.raw";

  static ImageShape of(int clusterSize, int length) {
    return new ImageShape(3, clusterSize, 16, length, NO_BACKING, false, false, false, null, "");
  }

  ImageShape withVersion2() {
    return new ImageShape(
        2,
        clusterSize,
        refcountBits,
        length,
        backingLength,
        extendedL2,
        hasSnapshot,
        false,
        compression,
        encryption);
  }

  ImageShape withRefcountBits(int bits) {
    return new ImageShape(
        version,
        clusterSize,
        bits,
        length,
        backingLength,
        extendedL2,
        hasSnapshot,
        hasBitmaps,
        compression,
        encryption);
  }

  ImageShape withBacking(int bytes) {
    return new ImageShape(
        version,
        clusterSize,
        refcountBits,
        length,
        bytes,
        extendedL2,
        hasSnapshot,
        hasBitmaps,
        compression,
        encryption);
  }

  ImageShape withExtendedL2() {
    return new ImageShape(
        version,
        clusterSize,
        refcountBits,
        length,
        backingLength,
        true,
        hasSnapshot,
        hasBitmaps,
        compression,
        encryption);
  }

  ImageShape withSnapshot() {
    return new ImageShape(
        version,
        clusterSize,
        refcountBits,
        length,
        backingLength,
        extendedL2,
        true,
        hasBitmaps,
        compression,
        encryption);
  }

  ImageShape withCompression(String type) {
    return new ImageShape(
        version,
        clusterSize,
        refcountBits,
        length,
        backingLength,
        extendedL2,
        hasSnapshot,
        hasBitmaps,
        type,
        encryption);
  }

  ImageShape withEncryption(String format) {
    return new ImageShape(
        version,
        clusterSize,
        refcountBits,
        length,
        backingLength,
        extendedL2,
        hasSnapshot,
        hasBitmaps,
        compression,
        format);
  }

  ImageShape withBitmaps() {
    return new ImageShape(
        version,
        clusterSize,
        refcountBits,
        length,
        backingLength,
        extendedL2,
        hasSnapshot,
        true,
        compression,
        encryption);
  }

  boolean isCompressed() {
    return compression != null;
  }

  boolean hasBacking() {
    return backingLength != NO_BACKING;
  }

  /** Returns the creation options as qemu-img takes them. */
  String options() {
    return "compat="
        + (version == 2 ? "0.10" : "1.1")
        + (",cluster_size=" + clusterSize)
        + (version == 2 ? "" : ",refcount_bits=" + refcountBits)
        + (compression == null || version == 2 ? "" : ",compression_type=" + compression)
        + (extendedL2 ? ",extended_l2=on" : "")
        + (encryption.isEmpty() ? "" : ",encrypt.key-secret=key,encrypt.format=" + encryption)
        + (encryption.equals("luks") ? ",encrypt.iter-time=10" : "");
  }

  /** Makes the image and returns its bytes. */
  PagedBytes create() {
    return encryption.isEmpty() ? make() : ENCRYPTED.computeIfAbsent(this, ImageShape::make).copy();
  }

  private PagedBytes make() {
    try {
      Path folder = Files.createTempDirectory("blkmount-shape");
      Path file = folder.resolve("empty.qcow2");
      create(file, BACKING_NAME);
      if (hasBitmaps) {
        addBitmaps(file);
      }
      PagedBytes bytes = Images.load(file);
      Files.delete(file);
      Files.delete(folder);
      return bytes;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** The backing file is not opened for that. */
  private static void addBitmaps(Path file) {
    String image = "driver=qcow2,backing=,file.filename=" + file;
    QemuImg.img("bitmap", "--image-opts", "--add", "-g", 512, image, FINE);
    QemuImg.img("bitmap", "--image-opts", "--add", "-g", 4096, image, COARSE);
    QemuImg.img("bitmap", "--image-opts", "--add", "--disable", "-g", 512, image, DISABLED);
  }

  /** Makes the image in a file; the backing file need not exist. */
  void create(Path file, String backingName) {
    List<Object> arguments = new ArrayList<>(List.of("create", "-q", "-f", "qcow2", "-u"));
    arguments.addAll(List.of("--object", TestKey.QEMU_OBJECT));
    if (hasBacking()) {
      arguments.addAll(List.of("-b", backingName, "-F", "raw"));
    }
    arguments.addAll(List.of("-o", options(), file, length));
    QemuImg.img(arguments.toArray());
  }
}
