// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.bytes.BouncePool;
import io.blkmount.block.driver.ChildOpener;
import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.qcow2.ZeroEntryWalk.Table;
import java.io.IOException;

/**
 * What a {@link ZeroExpansion} changes between two checks: the same entries are walked to reserve
 * clusters, to fill them with zeros, and to lead there.
 */
final class ZeroExpansionRound {
  private final ChildOpener.Child file;
  private final boolean isBacked;
  private final Qcow2Check check;
  private final CheckedImage image;
  private final ClusterCounts counts;
  private final boolean isEncrypted;
  private final ZeroEntryWalk walk;

  /** Host offsets of the clusters that are reserved, in the order of the walk. */
  private long[] places = {};

  private int placesUsed;
  private long nextFree;
  private boolean leaks;

  /**
   * Prepares a round.
   *
   * @param isBacked whether nothing stored would let a backing file show
   * @param check that found nothing but leaks
   * @param most entries that are changed
   */
  ZeroExpansionRound(ChildOpener.Child file, boolean isBacked, Qcow2Check check, int most)
      throws IOException {
    this.file = file;
    this.isBacked = isBacked;
    this.check = check;
    this.image = check.image();
    this.counts = check.references().counts();
    this.isEncrypted = image.header().cryptMethod() != Qcow2Header.CRYPT_NONE;
    this.walk = new ZeroEntryWalk(file, check, most);
    StoredLeaks.forEach(check, this::keepLeaked);
  }

  /** What leaks is not free: its refcount would be too high for its new owner. */
  private void keepLeaked(long cluster, long stored, long counted) {
    if (counted == 0) {
      counts.add(cluster, 1);
    }
  }

  CheckedImage image() {
    return image;
  }

  boolean isEncrypted() {
    return isEncrypted;
  }

  /** Returns whether a cluster became one that nothing leads to, and still has its refcount. */
  boolean leaks() {
    return leaks;
  }

  /** Returns whether the last walk has seen an entry that reads as zeros. */
  boolean hasEntries() {
    return walk.visited() > 0;
  }

  /**
   * Returns whether an entry of the disk is the only one left to a cluster and would have to know
   * it as soon as the refcount is right: two writes, between which a check finds fault.
   */
  boolean wouldNeedFlags() throws IOException {
    boolean[] found = {false};
    walk.forEachTable(table -> found[0] |= table.activeReferences() > 0 && wouldNeedFlags(table));
    return found[0];
  }

  private boolean wouldNeedFlags(Table table) {
    for (int at = 0; at < table.entries().limit(); at += Long.BYTES) {
      long entry = table.entries().getLong(at);
      if (!L2Entry.isCompressed(entry)
          && !L2Entry.isCopied(entry)
          && L2Entry.hostOffset(entry) != 0
          && counts.count(L2Entry.hostOffset(entry) >> image.clusterBits()) == 1) {
        return true;
      }
    }
    return false;
  }

  /** Returns how many clusters have to be reserved. */
  long countPlaces() throws IOException {
    long[] needed = {0};
    walk.forEach(
        (table, entry) -> {
          needed[0] += needsPlace(table, entry) ? 1 : 0;
          return entry;
        });
    return needed[0];
  }

  long freeClusters() {
    long free = 0;
    for (long cluster = 0; cluster < image.clusterCount(); cluster++) {
      free += counts.count(cluster) == 0 ? 1 : 0;
    }
    return free;
  }

  /**
   * Does it, durably.
   *
   * @param placeCount clusters to reserve, which are free
   */
  void run(int placeCount) throws IOException {
    places = new long[placeCount];
    walk.forEach(this::reserve);
    if (placeCount > 0) {
      writeRefcounts();
    }
    placesUsed = 0;
    walk.forEach(this::fill);
    file.flush();
    placesUsed = 0;
    walk.forEach(this::link);
    file.flush();
  }

  /** Returns whether the cluster that an entry has in reserve is its alone. */
  private boolean ownsHost(Table table, long entry) {
    long hostOffset = L2Entry.hostOffset(entry);
    return hostOffset != 0 && counts.count(hostOffset >> image.clusterBits()) == table.references();
  }

  /** An entry of the disk that is alone but does not know it has a refcount that leaks. */
  private boolean keepsHost(Table table, long entry) {
    boolean knows = L2Entry.isCopied(entry) == (table.references() == 1);
    return !isEncrypted && ownsHost(table, entry) && (table.activeReferences() == 0 || knows);
  }

  private boolean needsPlace(Table table, long entry) {
    return isBacked && !keepsHost(table, entry);
  }

  private long reserve(Table table, long entry) {
    if (needsPlace(table, entry)) {
      while (counts.count(nextFree) != 0) {
        nextFree++;
      }
      if (nextFree >= image.clusterCount()) {
        throw new IllegalStateException("more places are needed than were counted as free");
      }
      counts.add(nextFree, table.references());
      places[placesUsed++] = nextFree << image.clusterBits();
    }
    return entry;
  }

  /** No refcount goes down: the flag of an entry that is left alone would be wrong. */
  private void writeRefcounts() throws IOException {
    RefcountGoal goal =
        new RefcountGoal(counts, false, image.clusterCount(), check.stored().width().max());
    try (BouncePool.Bounce bounce = BouncePool.take(image.clusterSize())) {
      if (check.stored().needRebuild(counts)) {
        new RefcountRebuild(file, check, goal).run(bounce.buffer());
        leaks = true; // the old table and blocks
      } else {
        boolean unused =
            new RefcountRewrite(image, check.stored(), goal).run(file, bounce.buffer());
        file.flush();
      }
    }
  }

  private long fill(Table table, long entry) throws IOException {
    if (keepsHost(table, entry)) {
      writeZeroes(L2Entry.hostOffset(entry));
    } else if (isBacked) {
      writeZeroes(places[placesUsed++]);
    }
    return entry;
  }

  private void writeZeroes(long hostOffset) throws IOException {
    file.writeZeroes(hostOffset, image.clusterSize(), WriteFlags.NONE);
  }

  private long link(Table table, long entry) {
    if (keepsHost(table, entry)) {
      return entry & ~L2Entry.ZERO_ENTRY;
    }
    if (L2Entry.hostOffset(entry) != 0) {
      leaks = true;
    }
    boolean isAlone = table.references() == 1 && table.activeReferences() == 1;
    return isBacked ? L2Entry.withCopied(places[placesUsed++], isAlone) : L2Entry.UNALLOCATED_ENTRY;
  }
}
