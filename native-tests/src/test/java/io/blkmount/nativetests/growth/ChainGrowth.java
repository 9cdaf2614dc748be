// SPDX-License-Identifier: Apache-2.0
package io.blkmount.nativetests.growth;

import io.blkmount.block.backend.BlockBackend;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.stream.LongStream;
import org.jspecify.annotations.Nullable;

/** Random 4 KiB reads that fall through a chain to its last layer. */
final class ChainGrowth {
  private static final int[] DEPTHS = {8, 64, 256, 1000};
  private static final long LENGTH = 256L << 20;
  private static final long CLUSTERS = LENGTH / Images.CLUSTER;

  /** Where the header of qcow2 has the offset of the backing file's name. */
  private static final int BACKING_NAME_OFFSET = 8;

  private static final double LIMIT_NANOS_PER_LAYER = 1000;

  /** Clusters of its own that each layer has: its tables are there, and most of it is not. */
  private static final int OWN = 2;

  /** The best of them counts: what else the machine does only makes them slower. */
  private static final int ROUNDS = 5;

  private final Path folder;
  private final List<Path> layers = new ArrayList<>();

  ChainGrowth(Path folder) {
    this.folder = folder;
  }

  List<Figure> measure() throws IOException {
    grow(1);
    double alone = nanosPerRead(0);
    List<Figure> figures = new ArrayList<>();
    figures.add(new Figure("random 4 KiB read of one layer", alone, Figure.NO_LIMIT, "ns"));
    for (int depth : DEPTHS) {
      grow(depth);
      double perLayer = (nanosPerRead(depth - 1) - alone) / (depth - 1);
      String what = "the same at the bottom of " + depth + " layers, per layer more";
      figures.add(new Figure(what, perLayer, LIMIT_NANOS_PER_LAYER, "ns"));
    }
    return figures;
  }

  private void grow(int depth) throws IOException {
    while (layers.size() < depth) {
      Path layer = folder.resolve("layer%04d.qcow2".formatted(layers.size()));
      switch (layers.size()) {
        case 0 -> create(layer, null, LongStream.range(0, CLUSTERS));
        case 1 -> create(layer, layers.get(0), new SplittableRandom(1).longs(OWN, 0, CLUSTERS));
        default -> copy(layers.get(1), layer, layers.get(layers.size() - 1));
      }
      layers.add(layer);
    }
  }

  private static void create(Path layer, @Nullable Path below, LongStream clusters)
      throws IOException {
    Images.create(layer, LENGTH, below, Map.of());
    Images.writeBlocks(layer, clusters.toArray());
  }

  /**
   * Makes a layer like another, on a file whose name is as long: to open the chain each time that a
   * layer comes on top of it would take minutes.
   */
  private static void copy(Path from, Path layer, Path below) throws IOException {
    ByteBuffer image = ByteBuffer.wrap(Files.readAllBytes(from));
    int nameOffset = Math.toIntExact(image.getLong(BACKING_NAME_OFFSET));
    image.put(nameOffset, below.toString().getBytes(StandardCharsets.UTF_8));
    Files.write(layer, image.array());
  }

  private double nanosPerRead(int top) throws IOException {
    try (BlockBackend disk = Images.open(layers.get(top), true)) {
      int reads = Math.max(1000, 100_000 / (top + 1));
      double best = Double.MAX_VALUE;
      for (int round = 0; round < ROUNDS; round++) {
        best = Math.min(best, nanosPerRead(disk, reads, round));
      }
      return best;
    }
  }

  private static double nanosPerRead(BlockBackend disk, int reads, int seed) throws IOException {
    SplittableRandom random = new SplittableRandom(seed);
    ByteBuffer block = ByteBuffer.allocateDirect(Images.BLOCK);
    long start = System.nanoTime();
    for (int i = 0; i < reads; i++) {
      disk.read(random.nextLong(LENGTH / Images.BLOCK) * Images.BLOCK, block.clear());
    }
    return (double) (System.nanoTime() - start) / reads;
  }
}
