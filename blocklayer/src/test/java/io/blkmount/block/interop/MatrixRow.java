// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.interop;

import java.util.ArrayList;
import java.util.List;

/**
 * One image of the matrix.
 *
 * @param feature what it has
 * @param version 2 or 3
 * @param clusterSize in bytes
 * @param refcountBits 16 in version 2
 */
record MatrixRow(Feature feature, int version, int clusterSize, int refcountBits) {
  private static final int[] CLUSTER_SIZES = {512, 4096, 65536, 2 << 20};
  private static final int[] REFCOUNT_BITS = {1, 2, 4, 8, 16, 32, 64};
  private static final int V2_REFCOUNT_BITS = 16;

  /**
   * Returns rows in which each feature meets each refcount width, each cluster size that it goes
   * with, and each version. Widths by cluster sizes is a product that the model tests have in full.
   */
  static List<MatrixRow> pairwise() {
    List<MatrixRow> rows = new ArrayList<>();
    for (Feature feature : List.of(Feature.values())) {
      addRows(rows, feature);
    }
    return rows;
  }

  private static void addRows(List<MatrixRow> rows, Feature feature) {
    List<Integer> clusterSizes = new ArrayList<>();
    for (int clusterSize : CLUSTER_SIZES) {
      if (feature.goesWith(3, clusterSize)) {
        clusterSizes.add(clusterSize);
      }
    }
    int turn = feature.ordinal();
    for (int bits : REFCOUNT_BITS) {
      rows.add(new MatrixRow(feature, 3, clusterSizes.get(turn++ % clusterSizes.size()), bits));
    }
    int clusterSize = clusterSizes.get(turn % clusterSizes.size());
    if (feature.goesWith(2, clusterSize)) {
      rows.add(new MatrixRow(feature, 2, clusterSize, V2_REFCOUNT_BITS));
    }
  }

  /** Returns the creation options of qemu-img. */
  String options() {
    List<String> options = new ArrayList<>(feature.options());
    options.add("compat=" + compat());
    options.add("cluster_size=" + clusterSize);
    if (version == 3) {
      options.add("refcount_bits=" + refcountBits);
    }
    return String.join(",", options);
  }

  String compat() {
    return version == 2 ? "0.10" : "1.1";
  }

  /** Narrow refcounts cannot count the second owner that a snapshot is. */
  boolean isPossible() {
    return !feature.hasSnapshot() || refcountBits > 1;
  }

  @Override
  public String toString() {
    return feature + " v" + version + " cluster " + clusterSize + " refcount " + refcountBits;
  }
}
