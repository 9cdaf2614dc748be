// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.bytes.BouncePool;
import io.blkmount.block.driver.CheckResult;
import io.blkmount.block.driver.ChildOpener;
import io.blkmount.block.driver.Preallocation;
import io.blkmount.block.driver.RepairMode;
import io.blkmount.block.driver.WriteFlags;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * Says in the words of version 2 what reads as zeros: over a backing file, in clusters full of
 * zeros; without one, in nothing. Stands for {@code qcow2_expand_zero_clusters()}.
 *
 * <p>The image means the same at every moment, and its refcounts are never too low: first new
 * clusters are counted, then filled, then entries lead there. A table that snapshots share is
 * changed once, where it is. A reserved cluster that another entry has, too, is left to the other.
 */
final class ZeroExpansion {
  /** Entries that are changed between two checks: bounds what is remembered of them. */
  private static final int BATCH = 1 << 16;

  private static final int SECTOR = 512;

  private final AmendRules rules;
  private final ChildOpener.Child file;
  private final boolean isBacked;
  private final int batch;

  private boolean leaks;

  /**
   * Prepares an expansion.
   *
   * @param isBacked whether nothing stored would let a backing file show
   */
  ZeroExpansion(AmendRules rules, ChildOpener.Child file, boolean isBacked) {
    this(rules, file, isBacked, BATCH);
  }

  ZeroExpansion(AmendRules rules, ChildOpener.Child file, boolean isBacked, int batch) {
    this.rules = rules;
    this.file = file;
    this.isBacked = isBacked;
    this.batch = batch;
  }

  /**
   * Fails if it cannot be done.
   *
   * @param check that found nothing but leaks
   */
  void requirePossible(Qcow2Check check) throws IOException {
    Round round = new Round(check, Integer.MAX_VALUE);
    long places = round.countPlaces();
    rules.require(
        places == 0 || !round.isEncrypted,
        BlockError.NOT_SUPPORTED,
        Qcow2CreateOptions.COMPAT,
        "zeros that hide the backing file cannot be encrypted without the key");
    if (!file.support().growable()) {
      requireRoom(places, round.freeClusters());
    }
  }

  private void requireRoom(long places, long free) throws BlockException {
    rules.require(
        places <= free,
        BlockError.NO_SPACE,
        Qcow2CreateOptions.COMPAT,
        places + " clusters of zeros have to be stored, " + free + " are free");
  }

  /**
   * Does it, durably.
   *
   * @throws IOException if it failed; the image still means the same
   */
  void run() throws IOException {
    while (runRound()) {}
    if (leaks && !new Round(rules.check(file), batch).wouldNeedFlags()) {
      CheckResult unused =
          Qcow2Repair.repair(rules.imageName(), file, RepairMode.LEAKS, finding -> {});
    }
  }

  private boolean runRound() throws IOException {
    Round round = new Round(rules.check(file), batch);
    long places = round.countPlaces();
    if (round.visited == 0) {
      return false;
    }
    long missing = places - round.freeClusters();
    while (missing > 0) { // again if a crash left refcounts behind the end of the file
      grow(round.image, places, missing);
      round = new Round(rules.check(file), batch);
      missing = places - round.freeClusters();
    }
    round.run((int) places);
    return true;
  }

  private void grow(CheckedImage image, long places, long missing) throws IOException {
    if (!file.support().growable()) {
      requireRoom(places, places - missing);
    }
    long clusters = image.clusterCount() + missing;
    file.truncate(Math.multiplyExact(clusters, (long) image.clusterSize()), Preallocation.OFF);
  }

  /** Looks at an entry that reads as zeros. */
  private interface Visitor {
    /** Returns what takes its place. */
    long visit(long entry) throws IOException;
  }

  /** Looks at a table. */
  private interface TableVisitor {
    void visit(long tableOffset, ByteBuffer table) throws IOException;
  }

  /** The changes between two checks. */
  private final class Round {
    final CheckedImage image;
    final boolean isEncrypted;
    private final Qcow2Check check;
    private final ClusterCounts counts;
    private final int most;

    /** How many entries that read as zeros the last walk has seen. */
    private int visited;

    /** Of the table that is walked: how many L1 entries lead to it, and how many active. */
    private long weight;

    private long activeWeight;

    private long[] places = {};
    private int placesUsed;
    private long nextFree;

    Round(Qcow2Check check, int most) throws IOException {
      this.check = check;
      this.image = check.image();
      this.counts = check.references().counts();
      this.isEncrypted = image.header().cryptMethod() != Qcow2Header.CRYPT_NONE;
      this.most = most;
      StoredLeaks.forEach(check, this::keepLeaked);
    }

    /** What leaks is not free: its refcount would be too high for its new owner. */
    private void keepLeaked(long cluster, long stored, long counted) {
      if (counted == 0) {
        counts.add(cluster, 1);
      }
    }

    /**
     * Returns whether an entry of the disk is the only one left to a cluster and would have to know
     * it as soon as the refcount is right: two writes, between which a check finds fault.
     */
    boolean wouldNeedFlags() throws IOException {
      boolean[] found = {false};
      walkTables(
          (tableOffset, table) -> {
            for (int at = 0; at < table.limit() && activeWeight > 0; at += Long.BYTES) {
              long entry = table.getLong(at);
              found[0] |=
                  !L2Entry.isCompressed(entry)
                      && !L2Entry.isCopied(entry)
                      && L2Entry.hostOffset(entry) != 0
                      && counts.count(L2Entry.hostOffset(entry) >> image.clusterBits()) == 1;
            }
          });
      return found[0];
    }

    long countPlaces() throws IOException {
      long[] needed = {0};
      walk(
          entry -> {
            needed[0] += needsPlace(entry) ? 1 : 0;
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

    void run(int placeCount) throws IOException {
      places = new long[placeCount];
      walk(this::reserve);
      if (placeCount > 0) {
        writeRefcounts();
      }
      placesUsed = 0;
      walk(this::fill);
      file.flush();
      placesUsed = 0;
      walk(this::link);
      file.flush();
    }

    /** Returns whether the cluster that an entry has in reserve is its alone. */
    private boolean ownsHost(long entry) {
      long hostOffset = L2Entry.hostOffset(entry);
      return hostOffset != 0 && counts.count(hostOffset >> image.clusterBits()) == weight;
    }

    /** An entry of the disk that is alone but does not know it has a refcount that leaks. */
    private boolean keepsHost(long entry) {
      boolean knows = L2Entry.isCopied(entry) == (weight == 1);
      return !isEncrypted && ownsHost(entry) && (activeWeight == 0 || knows);
    }

    private boolean needsPlace(long entry) {
      return isBacked && !keepsHost(entry);
    }

    private long reserve(long entry) {
      if (needsPlace(entry)) {
        while (counts.count(nextFree) != 0) {
          nextFree++;
        }
        if (nextFree >= image.clusterCount()) {
          throw new IllegalStateException("more places are needed than were counted as free");
        }
        counts.add(nextFree, weight);
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
        } else {
          boolean unused =
              new RefcountRewrite(image, check.stored(), goal).run(file, bounce.buffer());
          file.flush();
        }
      }
    }

    private long fill(long entry) throws IOException {
      if (keepsHost(entry)) {
        writeZeroes(L2Entry.hostOffset(entry));
      } else if (isBacked) {
        writeZeroes(places[placesUsed++]);
      }
      return entry;
    }

    private void writeZeroes(long hostOffset) throws IOException {
      file.writeZeroes(hostOffset, image.clusterSize(), WriteFlags.NONE);
    }

    private long link(long entry) {
      if (keepsHost(entry)) {
        return entry & ~L2Entry.ZERO_ENTRY;
      }
      if (L2Entry.hostOffset(entry) != 0) {
        leaks = true;
      }
      return isBacked
          ? L2Entry.withCopied(places[placesUsed++], weight == 1 && activeWeight == 1)
          : L2Entry.UNALLOCATED_ENTRY;
    }

    /** Visits the entries that read as zeros, always the same ones in the same order. */
    private void walk(Visitor visitor) throws IOException {
      visited = 0;
      walkTables((tableOffset, table) -> walk(tableOffset, table, visitor));
    }

    private void walkTables(TableVisitor visitor) throws IOException {
      try (BouncePool.Bounce bounce = BouncePool.take(image.clusterSize())) {
        ClusterCounts tables = check.tables();
        for (long c = tables.nextUsed(0);
            c < tables.size() && visited < most;
            c = tables.nextUsed(c + 1)) {
          weight = tables.count(c);
          activeWeight = check.activeTables().count(c);
          long offset = c << image.clusterBits();
          visitor.visit(offset, image.read(offset, bounce.buffer()));
        }
      }
    }

    private void walk(long tableOffset, ByteBuffer table, Visitor visitor) throws IOException {
      int first = -1;
      int last = -1;
      for (int at = 0; at < table.limit() && visited < most; at += Long.BYTES) {
        long entry = table.getLong(at);
        if (L2Entry.isCompressed(entry) || (entry & L2Entry.ZERO_ENTRY) == 0) {
          continue;
        }
        visited++;
        long changed = visitor.visit(entry);
        if (changed != entry) {
          table.putLong(at, changed);
          first = first < 0 ? at : first;
          last = at;
        }
      }
      if (first >= 0) {
        int start = first & -SECTOR;
        int end = (last & -SECTOR) + SECTOR;
        file.write(tableOffset + start, table.slice(start, end - start), WriteFlags.NONE);
      }
    }
  }
}
