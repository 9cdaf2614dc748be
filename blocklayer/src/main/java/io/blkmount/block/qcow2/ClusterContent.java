// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.bytes.Zeroes;
import io.blkmount.block.driver.BlockIo;
import java.io.IOException;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/** Reads what clusters hold, whatever their kind. */
final class ClusterContent {
  private final Metadata metadata;
  private final CompressedReader compressed;
  private volatile @Nullable BlockIo backing;

  ClusterContent(Metadata metadata, CompressedReader compressed) {
    this.metadata = metadata;
    this.compressed = compressed;
  }

  void attachBacking(@Nullable BlockIo node) {
    backing = node;
  }

  boolean hasBacking() {
    return backing != null;
  }

  /** Returns how long the backing file is, 0 without one. */
  long backingLength() throws IOException {
    BlockIo node = backing;
    return node == null ? 0 : node.length();
  }

  /** Returns whether all bytes from {@code guestOffset} on are zeros by what the metadata says. */
  boolean readsZero(ClusterRun run, long guestOffset) throws IOException {
    return run.isZero() || run.kind() == L2Entry.Kind.UNALLOCATED && guestOffset >= backingLength();
  }

  /** Fills the start of {@code target}, which is at least as long, with all of a run. */
  void readRun(ClusterRun run, ByteBuffer target) throws IOException {
    int limit = target.limit();
    target.limit(target.position() + (int) run.length());
    try {
      read(run, run.guestOffset(), target);
    } finally {
      target.limit(limit);
    }
  }

  /**
   * Fills {@code target} with the bytes from {@code guestOffset} on, which lie in the clusters of
   * {@code run} (a compressed run is one cluster).
   */
  void read(ClusterRun run, long guestOffset, ByteBuffer target) throws IOException {
    switch (run.kind()) {
      case NORMAL -> metadata.data().read(guestOffset, run.hostOffsetOf(guestOffset), target);
      case COMPRESSED ->
          compressed.readPart(
              run.entry(), metadata.geometry().offsetInCluster(guestOffset), target);
      case ZERO_PLAIN, ZERO_ALLOCATED -> Zeroes.fill(target);
      case UNALLOCATED -> readBacking(guestOffset, target);
    }
  }

  private void readBacking(long guestOffset, ByteBuffer target) throws IOException {
    BlockIo node = backing;
    if (node == null) {
      Zeroes.fill(target);
    } else {
      node.read(guestOffset, target);
    }
  }
}
