// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.bytes.Zeroes;
import io.blkmount.block.driver.WriteFlags;
import java.io.IOException;

/** Makes what a disk gains when it grows read as zeros, whatever was left or shows there. */
final class DiskTail {
  private final Metadata metadata;
  private final ClusterGeometry geometry;
  private final ClusterContent content;
  private final ClusterLookup lookup;
  private final ClusterWriter writer;
  private final ZeroClusters zeroClusters;

  DiskTail(
      Metadata metadata,
      ClusterContent content,
      ClusterLookup lookup,
      ClusterWriter writer,
      ZeroClusters zeroClusters) {
    this.metadata = metadata;
    this.geometry = metadata.geometry();
    this.content = content;
    this.lookup = lookup;
    this.writer = writer;
    this.zeroClusters = zeroClusters;
  }

  /**
   * Clears what the last cluster holds past the old end, and what a longer backing file shows.
   *
   * @param oldLength of the disk in bytes
   * @param length that it is about to get; the L1 table maps it
   */
  void clear(long oldLength, long length) throws IOException {
    long firstWhole = Math.min(geometry.clusterEnd(oldLength), length);
    clearCluster(oldLength, firstWhole);
    forgetLeftovers(oldLength, length);
    long visibleEnd = Math.min(length, content.backingLength());
    if (visibleEnd > firstWhole) {
      hideBacking(firstWhole, geometry.clusterEnd(visibleEnd));
    }
  }

  /** Writes zeros to what does not read as zeros in the rest of a cluster. */
  private void clearCluster(long guestOffset, long end) throws IOException {
    boolean mapped = geometry.l1Index(guestOffset) < metadata.l1().entryCount();
    for (long at = guestOffset, next; at < end; at = next) {
      ClusterRun run = mapped ? lookup.find(at, end - at) : null;
      next = run == null ? end : at + run.length();
      boolean zero = run == null ? at >= content.backingLength() : content.readsZero(run, at);
      if (!zero) {
        writeZeros(at, next);
      }
    }
  }

  /** A shrink that a power cut or a failure ended leaves entries past the end. */
  private void forgetLeftovers(long oldLength, long length) throws IOException {
    long firstWhole = geometry.clusterEnd(oldLength);
    long end = geometry.clusterEnd(length);
    if (firstWhole < end) {
      zeroClusters.forget(firstWhole, end);
    }
  }

  private void hideBacking(long guestOffset, long guestEnd) throws IOException {
    if (metadata.isVersion3()) {
      zeroClusters.zero(guestOffset, guestEnd, WriteFlags.NONE);
    } else {
      writeZeros(guestOffset, guestEnd);
    }
  }

  private void writeZeros(long guestOffset, long guestEnd) throws IOException {
    for (long at = guestOffset; at < guestEnd; ) {
      int length = (int) Math.min(guestEnd - at, Zeroes.MAX_BUFFER);
      writer.write(at, Zeroes.buffer(length));
      at += length;
    }
  }
}
