// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import io.blkmount.block.driver.BackingReference;
import io.blkmount.block.driver.BlockLimits;
import io.blkmount.block.driver.CreateOptions;
import io.blkmount.block.error.BlockException;
import io.blkmount.block.testing.FaultInstance;
import io.blkmount.block.testing.Images;
import io.blkmount.block.testing.MemoryChild;
import io.blkmount.block.testing.MemoryInstance;
import io.blkmount.block.testing.PagedBytes;
import io.blkmount.block.testing.QemuImg;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

final class Qcow2CreatorTest {
  private static final long GIB = 1L << 30;

  @TempDir Path folder;

  /** One image to make. */
  record Shape(long length, String options) {
    CreateOptions create(BackingReference backing) {
      Map<String, String> values = new HashMap<>();
      for (String option : options.split(",")) {
        values.putAll(option(option));
      }
      return new CreateOptions(length, backing, values);
    }
  }

  /** Cluster sizes with every refcount width; lengths and the rest in turn. */
  static Stream<Shape> shapes() {
    List<Shape> shapes = new ArrayList<>();
    long[] lengths = {0, 1, 512, 513, GIB, 64L << 40, 128 * GIB - 512};
    String[] others = {"", ",lazy_refcounts=on", ",compression_type=zstd"};
    for (int clusterBits : new int[] {9, 10, 12, 15, 16, 21}) {
      String size = "cluster_size=" + (1 << clusterBits);
      for (int order = 0; order <= 6; order++) {
        int turn = shapes.size();
        long length = Math.min(lengths[turn % lengths.length], quickLength(clusterBits));
        String options = ",refcount_bits=" + (1 << order) + others[turn % others.length];
        shapes.add(new Shape(length, "compat=1.1," + size + options));
      }
      long length = Math.min(GIB + 512, quickLength(clusterBits));
      shapes.add(new Shape(length, "compat=0.10," + size));
    }
    for (int clusterBits : new int[] {14, 16, 17, 21}) {
      long length = Math.min(lengths[shapes.size() % lengths.length], quickLength(clusterBits));
      shapes.add(new Shape(length, "extended_l2=on,cluster_size=" + (1 << clusterBits)));
    }
    return shapes.stream();
  }

  /** QEMU takes seconds to allocate an L1 table of many small clusters. */
  private static long quickLength(int clusterBits) {
    return 32768L << (2 * clusterBits - 3);
  }

  @ParameterizedTest
  @MethodSource("shapes")
  void qemuImgFindsTheImageCleanAndAsWanted(Shape shape) throws IOException {
    Path ours = store("ours.qcow2", created(shape.create(null)));
    Path theirs = folder.resolve("theirs.qcow2");
    QemuImg.create(theirs, Long.toString(shape.length()), shape.options());

    QemuImg.requireClean(ours, shape);
    assertThat(info(ours)).isEqualTo(info(theirs));
    assertThat(firstCluster(ours)).isEqualTo(firstCluster(theirs));
  }

  @ParameterizedTest(name = "{0} {1}")
  @CsvSource({
    "cluster_size=512,1",
    "cluster_size=512,64",
    "cluster_size=64k,16",
    "cluster_size=2M,64"
  })
  void qemuImgFindsTheLargestImagesClean(String clusterSize, int refcountBits) throws IOException {
    int clusterBits = Qcow2CreateOptions.parse(option(clusterSize)).clusterBits();
    long length = (long) HeaderReader.MAX_L1_ENTRIES << (2 * clusterBits - 3);
    Shape shape = new Shape(length, clusterSize + ",refcount_bits=" + refcountBits);

    Path image = store("ours.qcow2", created(shape.create(null)));

    QemuImg.requireClean(image, shape);
    assertThat(info(image)).contains("(" + length + " bytes)", "refcount bits: " + refcountBits);
  }

  @ParameterizedTest(name = "{0} {1}")
  @CsvSource({
    "0.10,512",
    "0.10,65536",
    "1.1,512",
    "1.1,1024",
    "1.1,4096",
    "1.1,8192",
    "1.1,65536",
    "1.1,2097152"
  })
  void overlaysHaveTheHeaderThatQemuImgWrites(String compat, int clusterSize) throws IOException {
    Files.createDirectory(folder.resolve("dir"));
    Files.createFile(folder.resolve("dir/base.img"));
    Shape shape = new Shape(GIB, "compat=" + compat + ",cluster_size=" + clusterSize);
    Path theirs = folder.resolve("theirs.qcow2");
    QemuImg.img(
        "create",
        "-q",
        "-u",
        "-f",
        "qcow2",
        "-o",
        shape.options(),
        "-b",
        "dir/base.img",
        "-F",
        "raw",
        theirs,
        GIB);

    PagedBytes ours = created(shape.create(new BackingReference("dir/base.img", "raw")));

    assertThat(firstCluster(store("ours.qcow2", ours))).isEqualTo(firstCluster(theirs));
    QemuImg.requireClean(folder.resolve("ours.qcow2"), shape);
  }

  @Test
  void backingNamesKeepEveryByte() throws IOException {
    String name = "a:b \n\udcff\u00e9.img";
    CreateOptions options = new CreateOptions(GIB, new BackingReference(name, null), Map.of());

    ByteBuffer image = ByteBuffer.wrap(created(options).bytes(0, 65536));
    Qcow2Header header = Qcow2Header.parse("x", image, image.capacity());

    assertThat(FirstCluster.backingName(header, image)).isEqualTo(name);
    assertThat(HeaderExtensions.parse("x", header, image).backingFormat()).isNull();
  }

  @Test
  void metadataLargerThanOneRefcountBlockCountsItself() throws IOException {
    Shape shape = new Shape(128 * GIB, "cluster_size=512,refcount_bits=64");

    ByteBuffer image = ByteBuffer.wrap(created(shape.create(null)).bytes(0, 512));
    Qcow2Header header = Qcow2Header.parse("x", image, 512);

    assertThat(header.l1EntryCount()).isEqualTo(HeaderReader.MAX_L1_ENTRIES);
    assertThat(header.refcountTableClusters()).isEqualTo(17);
  }

  @Test
  void oldContentDoesNotShowThrough() throws IOException {
    Path file = folder.resolve("old.qcow2");
    QemuImg.create(file, "64M", "cluster_size=4k");
    QemuImg.io(file, "write -P 7 0 4M");
    for (var support : List.of(MemoryInstance.FILE, MemoryInstance.DEVICE)) {
      MemoryInstance host =
          new MemoryInstance(Images.load(file), BlockLimits.ofBlocks(1, 1), support);

      Qcow2Creator.create(new MemoryChild(host), CreateOptions.ofLength(64L << 20));

      Path image = store("new.qcow2", host.content());
      QemuImg.requireClean(image, support);
      Path zeros = folder.resolve("zeros.raw");
      QemuImg.img("create", "-q", "-f", "raw", zeros, "64M");
      QemuImg.requireSame(image, zeros, support);
    }
  }

  /** Fails each host call in turn: afterwards there is no image, or a whole one. */
  @Test
  void failedCreationLeavesNoHalfImage() throws IOException {
    CreateOptions options = CreateOptions.ofLength(GIB);
    for (int n = 0; ; n++) {
      MemoryInstance host = emptyFile();
      FaultInstance fault = new FaultInstance(host, n);
      try {
        Qcow2Creator.create(new MemoryChild(fault), options);
      } catch (BlockException expected) {
        // the point of the test
      }
      PagedBytes content = host.content();
      boolean started = content.length() > 0 && content.bytes(0, 1)[0] != 0;
      if (started) {
        QemuImg.requireClean(store("image.qcow2", content), "host call " + n);
      }
      if (!fault.tripped()) {
        assertThat(started).isTrue();
        return; // every point was swept
      }
    }
  }

  private static Map<String, String> option(String text) {
    int equals = text.indexOf('=');
    return Map.of(text.substring(0, equals), text.substring(equals + 1));
  }

  private static PagedBytes created(CreateOptions options) throws IOException {
    MemoryInstance host = emptyFile();
    Qcow2Creator.create(new MemoryChild(host), options);
    return host.content();
  }

  private static MemoryInstance emptyFile() {
    return new MemoryInstance(new PagedBytes(0), BlockLimits.ofBlocks(1, 1), MemoryInstance.FILE);
  }

  private Path store(String name, PagedBytes content) {
    Path file = folder.resolve(name);
    Images.store(content, file);
    return file;
  }

  /** What qemu-img says without the name, and without the space that the host needs for it. */
  private static String info(Path image) {
    return QemuImg.img("info", image).replaceAll("(?m)^(image|disk size): .*\n", "");
  }

  /** The header cluster; large images of QEMU's have moved their tables, so these are blanked. */
  private static ByteBuffer firstCluster(Path image) throws IOException {
    try (var channel = Files.newByteChannel(image)) {
      ByteBuffer start = ByteBuffer.allocate(2 << 20);
      while (start.hasRemaining() && channel.read(start) >= 0) {}
      start.flip();
      Qcow2Header header = Qcow2Header.parse(image.toString(), start, Files.size(image));
      start.limit(header.clusterSize());
      if (Files.size(image) > 64L * header.clusterSize()) {
        start.putLong(Qcow2Header.L1_TABLE_OFFSET_AT, 0);
        start.putLong(Qcow2Header.REFCOUNT_TABLE_OFFSET_AT, 0);
        start.putInt(Qcow2Header.REFCOUNT_TABLE_CLUSTERS_AT, 0);
      }
      return start;
    }
  }
}
