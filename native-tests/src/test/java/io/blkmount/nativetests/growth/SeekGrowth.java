// SPDX-License-Identifier: Apache-2.0
package io.blkmount.nativetests.growth;

import io.blkmount.block.backend.BlockBackend;
import io.blkmount.block.driver.Extent;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.stream.LongStream;
import org.jspecify.annotations.Nullable;

/** From data to hole to data, over a whole disk, as a tool does that copies sparse files. */
final class SeekGrowth {
  private static final long LENGTH = 1L << 40;
  private static final int EXTENTS = 1000;
  private static final int LAYERS = 8;
  private static final double LIMIT_MILLIS = 1000;

  /** Every other cluster is data: what a disk is like that was written in no order. */
  private static final int FRAGMENTS = 65_536;

  /** Four times as many extents may take so many times as long: more would not be linear. */
  private static final double LIMIT_RATIO = 6;

  private static final int ROUNDS = 3;

  private final Path folder;

  SeekGrowth(Path folder) {
    this.folder = folder;
  }

  List<Figure> measure() throws IOException {
    List<Figure> figures = new ArrayList<>();
    SplittableRandom random = new SplittableRandom(1);
    Path image = null;
    for (int layer = 0; layer < LAYERS; layer++) {
      image = sparse("sparse" + layer, image, random);
      if (layer == 0) {
        figures.add(walk("all holes of 1 TiB with 1,000 extents, just opened", image));
      }
    }
    figures.add(walk("the same with " + LAYERS + " such layers", image));
    figures.addAll(fragmented());
    return figures;
  }

  private Path sparse(String name, @Nullable Path backing, SplittableRandom random)
      throws IOException {
    Path image = folder.resolve(name);
    Images.create(image, LENGTH, backing, Map.of());
    Images.writeBlocks(image, random.longs(EXTENTS, 0, LENGTH / Images.CLUSTER).toArray());
    return image;
  }

  private static Figure walk(String what, Path image) throws IOException {
    return new Figure(what, millis(image, EXTENTS), LIMIT_MILLIS, "ms");
  }

  private List<Figure> fragmented() throws IOException {
    double few = millis(fragments(FRAGMENTS / 4), FRAGMENTS / 4);
    double many = millis(fragments(FRAGMENTS), FRAGMENTS);
    return List.of(
        new Figure("all holes of a disk of 65,536 extents", many, LIMIT_MILLIS, "ms"),
        new Figure("how much longer than with a quarter of them", many / few, LIMIT_RATIO, "x"));
  }

  private Path fragments(int count) throws IOException {
    Path image = folder.resolve("fragments" + count);
    Images.create(image, 2L * count * Images.CLUSTER, null, Map.of());
    Images.writeBlocks(image, LongStream.range(0, count).map(i -> 2 * i).toArray());
    return image;
  }

  /** Returns the best time of a first walk over an image after it was opened. */
  private static double millis(Path image, int leastExtents) throws IOException {
    double best = Double.MAX_VALUE;
    for (int round = 0; round < ROUNDS; round++) {
      best = Math.min(best, millisOnce(image, leastExtents));
    }
    return best;
  }

  private static double millisOnce(Path image, int leastExtents) throws IOException {
    try (BlockBackend disk = Images.open(image, true)) {
      long start = System.nanoTime();
      int found = countData(disk);
      double millis = (System.nanoTime() - start) / 1e6;
      if (found < leastExtents * 99 / 100) {
        throw new IllegalStateException(image + ": " + found + " extents, not " + leastExtents);
      }
      return millis;
    }
  }

  private static int countData(BlockBackend disk) throws IOException {
    long length = disk.length();
    int count = 0;
    for (long at = seek(disk, 0, length, true); at < length; count++) {
      at = seek(disk, seek(disk, at, length, false), length, true);
    }
    return count;
  }

  private static long seek(BlockBackend disk, long from, long length, boolean data)
      throws IOException {
    long at = from;
    while (at < length) {
      Extent extent = disk.extentAt(at, length - at);
      if (extent.readsAsZero() != data) {
        return at;
      }
      at = extent.end();
    }
    return length;
  }
}
