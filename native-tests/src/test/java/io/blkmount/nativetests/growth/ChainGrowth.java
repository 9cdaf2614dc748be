// SPDX-License-Identifier: Apache-2.0
package io.blkmount.nativetests.growth;

import io.blkmount.block.backend.BlockBackend;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.stream.LongStream;

/** Random 4 KiB reads that fall through a chain to its last layer. */
final class ChainGrowth {
  private static final int[] DEPTHS = {8, 64, 256, 1000};
  private static final long LENGTH = 256L << 20;
  private static final double LIMIT_NANOS_PER_LAYER = 1000;

  /** Clusters of its own that each layer has: its tables are there, and most of it is not. */
  private static final int OWN_CLUSTERS = 2;

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
    SplittableRandom random = new SplittableRandom(depth);
    while (layers.size() < depth) {
      Path below = layers.isEmpty() ? null : layers.get(layers.size() - 1);
      Path layer = folder.resolve("layer" + layers.size() + ".qcow2");
      Images.create(layer, LENGTH, below, Map.of());
      long clusters = LENGTH / Images.CLUSTER;
      Images.writeBlocks(
          layer,
          below == null
              ? LongStream.range(0, clusters).toArray()
              : random.longs(OWN_CLUSTERS, 0, clusters).toArray());
      layers.add(layer);
    }
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
