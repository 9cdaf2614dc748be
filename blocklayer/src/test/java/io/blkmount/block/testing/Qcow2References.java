// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.testing;

import java.util.ArrayList;
import java.util.List;

/** Counts who points to each host cluster, and collects what is wrong. */
final class Qcow2References {
  /** More would say nothing new. */
  private static final int MAX_MESSAGES = 20;

  private final Qcow2Layout layout;
  private final long fileLength;
  private final int[] counts;
  private final List<String> corruptions = new ArrayList<>();
  private long corruptionCount;

  Qcow2References(Qcow2Layout layout, long fileLength) {
    this.layout = layout;
    this.fileLength = fileLength;
    this.counts =
        new int[Math.toIntExact(Qcow2Layout.divideUp(fileLength, layout.clusterSize())) + 1];
  }

  void corrupt(String message) {
    corruptionCount++;
    if (corruptions.size() < MAX_MESSAGES) {
      corruptions.add(message);
    }
  }

  List<String> corruptions() {
    return corruptions;
  }

  long corruptionCount() {
    return corruptionCount;
  }

  /** Counts one reference to each cluster of an aligned run; returns whether it may be followed. */
  boolean addAligned(String what, long index, long offset, long length) {
    if (!layout.isClusterAligned(offset)) {
      corrupt(what + " " + index + " unaligned: 0x" + Long.toHexString(offset));
      return false;
    }
    return add(what, index, offset, length);
  }

  /** Counts one reference to each cluster that a run of bytes touches. */
  boolean add(String what, long index, long offset, long length) {
    // The last cluster of a file may be cut off, more than that may not be missing.
    if (offset < 0 || offset + length - fileLength >= layout.clusterSize()) {
      corrupt(what + " " + index + " past the end of the file: 0x" + Long.toHexString(offset));
      return false;
    }
    long last = offset + length - 1 >> layout.clusterBits();
    for (long at = offset >> layout.clusterBits(); at <= last; at++) {
      counts[(int) at]++;
    }
    return true;
  }

  int count(long cluster) {
    return cluster < counts.length ? counts[(int) cluster] : 0;
  }

  int clusters() {
    return counts.length;
  }
}
