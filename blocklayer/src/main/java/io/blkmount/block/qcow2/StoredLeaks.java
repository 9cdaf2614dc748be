// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.bytes.BouncePool;
import java.io.IOException;
import java.nio.ByteBuffer;

/** Finds refcounts that are higher than the references that a check has counted. */
final class StoredLeaks {
  private StoredLeaks() {}

  /** Looks at a leak. */
  interface Visitor {
    void visit(long cluster, long stored, long counted) throws IOException;
  }

  /**
   * Visits all leaks of the file, from the first cluster on.
   *
   * @param check that has run, and found nothing but leaks
   */
  static void forEach(Qcow2Check check, Visitor visitor) throws IOException {
    StoredRefcounts stored = check.stored();
    int perBlock = stored.refcountsPerBlock();
    long end = check.image().clusterCount();
    try (BouncePool.Bounce bounce = BouncePool.take(check.image().clusterSize())) {
      for (long first = 0; first < end; first += perBlock) {
        ByteBuffer block = stored.read(first / perBlock, bounce.buffer());
        if (block != null) {
          visit(check, block, first, (int) Math.min(perBlock, end - first), visitor);
        }
      }
    }
  }

  private static void visit(
      Qcow2Check check, ByteBuffer block, long first, int count, Visitor visitor)
      throws IOException {
    RefcountWidth width = check.stored().width();
    for (int i = 0; i < count; i++) {
      long refcount = width.get(block, i);
      long counted = check.references().counts().count(first + i);
      if (refcount > counted) {
        visitor.visit(first + i, refcount, counted);
      }
    }
  }
}
