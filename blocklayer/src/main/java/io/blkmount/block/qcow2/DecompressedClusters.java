// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/**
 * The compressed clusters of an image that were read in part lately, by their L2 entries.
 *
 * <p>What an entry points to does not change as long as anybody may look the entry up. The same
 * entry may later come again and point to other bytes; so {@link #forget} is called when a host
 * cluster is about to be free, at which time no request is left that could enter the old bytes once
 * more.
 */
final class DecompressedClusters implements AutoCloseable {
  /** For so many readers in sequence, side by side. */
  private static final int MAX_KEPT = 16;

  /** How much of an image is kept at most, beyond {@link #MIN_KEPT}. */
  private static final int MAX_IMAGE_BYTES = 1 << 20;

  private static final int MIN_KEPT = 4;

  /** What all images of the process keep together at most: a chain has up to 1,000 layers. */
  private static final long MAX_BYTES = 32 << 20;

  private static final AtomicLong KEPT_BYTES = new AtomicLong();

  private final CompressedFile file;
  private final int maxKept;

  /** What one kept cluster may take: its bytes, as many compressed ones, a decoder. */
  private final long costBytes;

  /** The least recently used first. */
  @GuardedBy("this")
  private final List<DecompressedCluster> kept = new ArrayList<>();

  DecompressedClusters(CompressedFile file) {
    this.file = file;
    this.maxKept = Math.max(MIN_KEPT, Math.min(MAX_KEPT, MAX_IMAGE_BYTES / file.clusterSize()));
    this.costBytes = 2L * file.clusterSize() + (48 << 10);
  }

  /**
   * Fills {@code target} from a cluster.
   *
   * @param entry the L2 entry of a compressed cluster
   * @param offset in the cluster
   * @throws IOException if the cluster cannot be read, or decompressed that far
   */
  void read(long entry, int offset, ByteBuffer target) throws IOException {
    DecompressedCluster cluster = take(entry);
    try {
      cluster.read(offset, target);
    } finally {
      giveBack(cluster);
    }
  }

  /** Returns whether a part of the cluster is there already. */
  synchronized boolean holds(long entry) {
    return find(entry) != null;
  }

  private synchronized DecompressedCluster take(long entry) {
    DecompressedCluster cluster = find(entry);
    if (cluster == null) {
      cluster = new DecompressedCluster(entry, file);
      keep(cluster);
    } else {
      kept.remove(cluster);
      kept.add(cluster);
    }
    cluster.userCount++;
    return cluster;
  }

  @GuardedBy("this")
  private @Nullable DecompressedCluster find(long entry) {
    for (int i = kept.size() - 1; i >= 0; i--) {
      if (kept.get(i).entry() == entry) {
        return kept.get(i);
      }
    }
    return null;
  }

  /** Lets others find a cluster, if there is room when idle ones have gone. */
  @GuardedBy("this")
  private void keep(DecompressedCluster cluster) {
    boolean room = kept.size() < maxKept || dropIdle();
    while (room && KEPT_BYTES.get() + costBytes > MAX_BYTES) {
      room = dropIdle();
    }
    if (room) {
      KEPT_BYTES.addAndGet(costBytes);
      kept.add(cluster);
      cluster.isKept = true;
    }
  }

  /** Drops the cluster that was idle for longest; returns whether there was one. */
  @GuardedBy("this")
  private boolean dropIdle() {
    for (Iterator<DecompressedCluster> all = kept.iterator(); all.hasNext(); ) {
      DecompressedCluster cluster = all.next();
      if (cluster.userCount == 0) {
        all.remove();
        drop(cluster);
        return true;
      }
    }
    return false;
  }

  private synchronized void giveBack(DecompressedCluster cluster) {
    cluster.userCount--;
    if (!cluster.isKept && cluster.userCount == 0) {
      cluster.close();
    }
  }

  /** Ends what is kept no more, now or when the last request that uses it does. */
  @GuardedBy("this")
  private void drop(DecompressedCluster cluster) {
    KEPT_BYTES.addAndGet(-costBytes);
    cluster.isKept = false;
    if (cluster.userCount == 0) {
      cluster.close();
    }
  }

  /**
   * Forgets clusters that lie in a part of the file that is about to be free.
   *
   * @param hostOffset of its first byte
   * @param length in bytes
   */
  synchronized void forget(long hostOffset, long length) {
    for (Iterator<DecompressedCluster> all = kept.iterator(); all.hasNext(); ) {
      DecompressedCluster cluster = all.next();
      if (file.overlaps(cluster.entry(), hostOffset, length)) {
        all.remove();
        drop(cluster);
      }
    }
  }

  /** Forgets all. */
  void clear() {
    forget(0, Long.MAX_VALUE);
  }

  @Override
  public void close() {
    clear();
  }
}
