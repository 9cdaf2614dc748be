// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.driver.Amendable.Secrets;
import io.blkmount.block.driver.DriverInstance;
import io.blkmount.block.testing.Images;
import io.blkmount.block.testing.MemoryChild;
import io.blkmount.block.testing.MemoryInstance;
import io.blkmount.block.testing.PagedBytes;
import io.blkmount.block.testing.Qcow2Checker;
import io.blkmount.block.testing.Qcow2Reader;
import io.blkmount.block.testing.QemuImg;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * An image that QEMU made, and what is to change of it.
 *
 * @param options of the new image
 * @param isBacked whether it has the backing file {@value #BASE}
 * @param hasSnapshot whether it has an internal snapshot
 * @param values to amend, comma separated
 */
record AmendCase(String options, boolean isBacked, boolean hasSnapshot, String values) {
  static final String BASE = "base.raw";
  static final String LONG_NAME = "another-" + "x".repeat(120) + ".raw";

  private static final int CLUSTERS = 100;

  /** Every kind of change, over every kind of way: in one sector, behind it, by the detour. */
  static Stream<AmendCase> all() {
    String small = "cluster_size=512";
    return Stream.of(
        new AmendCase(small, false, true, "compat=0.10"),
        new AmendCase(small, true, true, "compat=0.10"),
        new AmendCase(small + ",refcount_bits=8", true, true, "compat=0.10,refcount_bits=16"),
        new AmendCase("cluster_size=4k,lazy_refcounts=on", true, false, "compat=v2"),
        new AmendCase("cluster_size=64k", true, true, "compat=0.10"),
        new AmendCase(small + ",compat=0.10", false, true, "compat=1.1"),
        new AmendCase("cluster_size=64k,compat=0.10", true, true, "compat=1.1"),
        new AmendCase(
            "cluster_size=4k,compat=0.10",
            true,
            true,
            "compat=v3,refcount_bits=8,lazy_refcounts=on"),
        new AmendCase(small, false, false, "refcount_bits=1"),
        new AmendCase(small + ",refcount_bits=2", false, true, "refcount_bits=64"),
        new AmendCase("cluster_size=4k", true, true, "refcount_bits=2"),
        new AmendCase("cluster_size=64k", false, false, "lazy_refcounts=on"),
        new AmendCase("lazy_refcounts=on", false, true, "lazy_refcounts=off"));
  }

  /** Changes of what lies below, which QEMU calls a rebase. */
  static Stream<AmendCase> backings() {
    String other = "backing_file=" + LONG_NAME + ",backing_fmt=raw";
    return Stream.of(
        new AmendCase("cluster_size=512", true, false, "backing_file=b,backing_fmt=raw"),
        new AmendCase("cluster_size=1k,compat=0.10", true, false, other),
        new AmendCase("cluster_size=64k", true, true, other),
        new AmendCase("cluster_size=64k", true, true, "backing_file="),
        new AmendCase("cluster_size=4k", false, false, other));
  }

  /** Changes of where the guest's data is. */
  static Stream<AmendCase> dataFiles() {
    String data = ",data_file=" + ImageFiles.DATA_NAME;
    String raw = data + ",data_file_raw=on";
    return Stream.of(
        new AmendCase("cluster_size=512" + raw, false, false, "data_file_raw=off"),
        new AmendCase("cluster_size=1k" + data, false, false, "data_file=" + LONG_NAME),
        new AmendCase("cluster_size=4k" + data, true, false, "data_file=,backing_file="),
        new AmendCase(
            "cluster_size=64k" + raw,
            false,
            false,
            "data_file_raw=off,lazy_refcounts=on,data_file=" + LONG_NAME),
        new AmendCase(
            "cluster_size=512,refcount_bits=1" + data,
            true,
            false,
            "refcount_bits=64,data_file=x"));
  }

  int clusterSize() {
    String text =
        options.contains("cluster_size") ? options.replaceAll(".*size=(\\d+k?).*", "$1") : "64k";
    return text.endsWith("k")
        ? Integer.parseInt(text.substring(0, text.length() - 1)) << 10
        : Integer.parseInt(text);
  }

  int length() {
    return CLUSTERS * clusterSize();
  }

  /** Returns the options as the driver takes them. */
  Map<String, String> map() {
    return map(values);
  }

  static Map<String, String> map(String text) {
    Map<String, String> map = new TreeMap<>();
    for (String option : text.split(",")) {
      int at = option.indexOf('=');
      map.put(option.substring(0, at), option.substring(at + 1));
    }
    return map;
  }

  /** Returns what lies below the image. */
  PagedBytes backing() {
    PagedBytes bytes = new PagedBytes(isBacked ? length() : 0);
    if (isBacked) {
      bytes.write(0, Images.bytes(length(), 77));
    }
    return bytes;
  }

  /** Makes the image, with clusters of all kinds, in a folder of its own. */
  Path create(Path folder) throws IOException {
    Path file = folder.resolve("image.qcow2");
    Images.store(backing(), folder.resolve(BASE));
    Images.store(backing(), folder.resolve(LONG_NAME));
    Images.store(backing(), folder.resolve("b"));
    List<Object> arguments = new ArrayList<>(List.of("create", "-q", "-f", "qcow2"));
    if (isBacked) {
      arguments.addAll(List.of("-b", BASE, "-F", "raw"));
    }
    String data = "data_file=" + folder.resolve(ImageFiles.DATA_NAME);
    String placed = options.replace("data_file=" + ImageFiles.DATA_NAME, data);
    arguments.addAll(List.of("-o", placed, file, length()));
    QemuImg.img(arguments.toArray());
    fill(file);
    return file;
  }

  private void fill(Path file) {
    QemuImg.io(
        file,
        io("write -P 1", 0, 12),
        io("write -z", 2, 3),
        io("write -z", 30, 4),
        io("write -P 3", 60, 8));
    if (hasSnapshot) {
      QemuImg.img("snapshot", "-c", "one", file);
    }
    QemuImg.io(
        file,
        io("write -z", 4, 4),
        io("write -z -u", 9, 2),
        io("write -P 5", 62, 3),
        io("write -z", 90, 10));
  }

  private String io(String command, int cluster, int count) {
    return command + ' ' + cluster * clusterSize() + ' ' + count * clusterSize();
  }

  /** Returns the external data file that was created in a folder, or null. */
  @Nullable PagedBytes data(Path folder) {
    boolean isSplit = options.contains("data_file");
    return isSplit ? Images.load(folder.resolve(ImageFiles.DATA_NAME)) : null;
  }

  /** Returns what a guest sees of the disk and of its snapshot. */
  static List<ByteBuffer> guest(PagedBytes image, PagedBytes backing) throws IOException {
    return guest(new Qcow2Reader(image, backing::read));
  }

  static List<ByteBuffer> guest(Qcow2Reader reader) throws IOException {
    List<ByteBuffer> all = new ArrayList<>(List.of(read(reader)));
    if (reader.layout().snapshotCount() > 0) {
      all.add(read(reader.firstSnapshot()));
    }
    return all;
  }

  private static ByteBuffer read(Qcow2Reader reader) throws IOException {
    ByteBuffer all = ByteBuffer.allocate(Math.toIntExact(reader.length()));
    reader.read(0, all);
    return all.clear();
  }

  void amend(DriverInstance host) throws IOException {
    new Qcow2Driver().amend("test.qcow2", new MemoryChild(host), map(), Secrets.NONE);
  }

  static FirstCluster firstCluster(PagedBytes image) throws IOException {
    return FirstCluster.read("x", new MemoryChild(MemoryInstance.file(image, 1)));
  }

  /** Returns what matters of a header, wherever its tables lie. */
  static String properties(PagedBytes image) throws IOException {
    FirstCluster first = firstCluster(image);
    Qcow2Header header = first.header();
    return String.join(
        " ",
        Arrays.asList(
            "v" + header.version(),
            "bits " + header.refcountBits(),
            "lazy " + header.compatibleFeatures(),
            "backing " + first.backingName() + ' ' + first.extensions().backingFormat(),
            "data " + first.extensions().dataFileName() + ' ' + header.autoclearFeatures()));
  }

  /** Returns what qemu-img says of an image, but for how much of it is where. */
  static String info(Path file) {
    return QemuImg.img("info", "--output=json", file).replaceAll("(?m)^.*\"actual-size\".*$\n", "");
  }

  /** Copies an image and its neighbours stay where they are. */
  static void copy(Path from, Path to) throws IOException {
    Files.deleteIfExists(to);
    Files.copy(from, to);
  }

  static void requireSound(PagedBytes image, String said) {
    Qcow2Checker.Findings findings = Qcow2Checker.check(image);
    if (!findings.isConsistent()) {
      throw new AssertionError(said + ": " + findings);
    }
  }
}
