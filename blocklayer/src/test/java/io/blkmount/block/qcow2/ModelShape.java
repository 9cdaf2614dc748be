// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.driver.DiscardMode;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * An image with any mixture of features, and how it is opened.
 *
 * @param image what it looks like
 * @param dataFile where its guest data is
 * @param lazyRefcounts whether it says that refcounts may be late
 * @param discards what becomes of them
 * @param smallCaches whether slices of tables come and go
 * @param compressesAll whether every write is compressed, not only some
 */
record ModelShape(
    ImageShape image,
    DataFile dataFile,
    boolean lazyRefcounts,
    Discards discards,
    boolean smallCaches,
    boolean compressesAll) {
  private static final int[] CLUSTER_SIZES = {512, 4096, 16384, 65536, 2 << 20};
  private static final String[] COMPRESSION = {"", "zlib", "zstd"};
  private static final String[] ENCRYPTION = {"", "luks", "aes"};
  private static final int SIXTEEN_BITS = 4;
  private static final int LEAST_EXTENDED = 2;

  /** Choices of each dimension, in the order of {@link #of}. */
  private static final int[] DIMENSIONS = {2, CLUSTER_SIZES.length, 7, 2, 3, 4, 3, 3, 2, 3, 2, 2};

  /** Where guest data is. */
  enum DataFile {
    NONE,
    MAPPED,
    RAW
  }

  /** What becomes of discards. */
  enum Discards {
    IGNORED,
    UNMAPPED,
    KEEP_CLUSTERS
  }

  /** Returns shapes in which every two features that go together meet. */
  static List<ModelShape> pairwise(long seed) {
    return Pairwise.rows(DIMENSIONS, ModelShape::isPossible, seed).stream()
        .map(ModelShape::of)
        .toList();
  }

  private static boolean isPossible(int[] row) {
    boolean isEncrypted = row[7] > 0;
    boolean isExtended = row[3] == 1;
    boolean hasData = row[6] > 0;
    boolean isRaw = row[6] == 2;
    return (row[0] == 1 || goesWithVersion2(row))
        && (!isExtended || row[1] >= LEAST_EXTENDED)
        && (row[4] == 0 || (!isEncrypted && !hasData))
        && (row[11] == 0 || row[4] > 0)
        && (!isRaw || (!isEncrypted && row[5] == 0));
  }

  private static boolean goesWithVersion2(int[] row) {
    boolean plain = row[3] == 0 && row[6] == 0 && row[8] == 0;
    return plain && row[2] == SIXTEEN_BITS && row[4] < 2 && row[9] < 2;
  }

  private static ModelShape of(int[] row) {
    int clusterSize = CLUSTER_SIZES[row[1]];
    ImageShape image = ImageShape.of(clusterSize, length(clusterSize));
    image = row[0] == 0 ? image.withVersion2() : image.withRefcountBits(1 << row[2]);
    image = row[3] == 0 ? image : image.withExtendedL2();
    image = row[4] == 0 ? image : image.withCompression(COMPRESSION[row[4]]);
    return new ModelShape(
        withBacking(image, row[5]).withEncryption(ENCRYPTION[row[7]]),
        DataFile.values()[row[6]],
        row[8] == 1,
        Discards.values()[row[9]],
        row[10] == 1,
        row[11] == 1);
  }

  /** A few L2 tables of small clusters, a few large clusters; never a whole number of them. */
  private static int length(int clusterSize) {
    return switch (clusterSize) {
      case 512 -> (192 << 10) + 512;
      case 4096 -> (3 << 20) + 1536;
      case 2 << 20 -> (9 << 20) + 2560;
      default -> (4 << 20) + 512;
    };
  }

  private static ImageShape withBacking(ImageShape shape, int choice) {
    return switch (choice) {
      case 0 -> shape;
      case 1 -> shape.withBacking(shape.length());
      case 2 -> shape.withBacking(shape.length() / 2 + 77);
      default -> shape.withBacking(shape.length() * 3 / 2);
    };
  }

  TestImage.Options options() {
    Map<String, String> values = new HashMap<>();
    if (smallCaches) {
      values.putAll(TestImage.Options.SMALL_CACHES.values());
    }
    if (discards == Discards.KEEP_CLUSTERS) {
      values.put("discard-no-unref", "on");
    }
    DiscardMode mode = discards == Discards.IGNORED ? DiscardMode.IGNORE : DiscardMode.UNMAP;
    return new TestImage.Options(mode, compressesAll, Map.copyOf(values))
        .withUnusual(image.clusterSize(), image.refcountBits() / 3);
  }

  /** Returns the creation options as qemu-img takes them. */
  String creationOptions() {
    String data = dataFile == DataFile.NONE ? "" : ",data_file=" + ImageFiles.DATA_NAME;
    return image.options()
        + data
        + (dataFile == DataFile.RAW ? ",data_file_raw=on" : "")
        + (lazyRefcounts ? ",lazy_refcounts=on" : "");
  }

  @Override
  public String toString() {
    return "v%d cluster %d refcount %d%s%s%s backing %d data %s%s discards %s%s%s"
        .formatted(
            image.version(),
            image.clusterSize(),
            image.refcountBits(),
            image.extendedL2() ? " extended" : "",
            image.isCompressed() ? " " + image.compression() : "",
            image.encryption().isEmpty() ? "" : " " + image.encryption(),
            image.backingLength(),
            dataFile,
            lazyRefcounts ? " lazy" : "",
            discards,
            smallCaches ? " small caches" : "",
            compressesAll ? " compresses all" : "");
  }
}
