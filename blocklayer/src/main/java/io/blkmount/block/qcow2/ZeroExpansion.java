// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.driver.CheckResult;
import io.blkmount.block.driver.ChildOpener;
import io.blkmount.block.driver.Preallocation;
import io.blkmount.block.driver.RepairMode;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import java.io.IOException;

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
    ZeroExpansionRound round = new ZeroExpansionRound(file, isBacked, check, Integer.MAX_VALUE);
    long places = round.countPlaces();
    rules.require(
        places == 0 || !round.isEncrypted(),
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
    if (leaks && !nextRound().wouldNeedFlags()) {
      CheckResult unused =
          Qcow2Repair.repair(rules.imageName(), file, RepairMode.LEAKS, finding -> {});
    }
  }

  private boolean runRound() throws IOException {
    ZeroExpansionRound round = nextRound();
    long places = round.countPlaces();
    if (!round.hasEntries()) {
      return false;
    }
    long missing = places - round.freeClusters();
    while (missing > 0) { // again if a crash left refcounts behind the end of the file
      grow(round.image(), places, missing);
      round = nextRound();
      missing = places - round.freeClusters();
    }
    round.run((int) places);
    leaks |= round.leaks();
    return true;
  }

  private ZeroExpansionRound nextRound() throws IOException {
    return new ZeroExpansionRound(file, isBacked, rules.check(file), batch);
  }

  private void grow(CheckedImage image, long places, long missing) throws IOException {
    if (!file.support().growable()) {
      requireRoom(places, places - missing);
    }
    long clusters = image.clusterCount() + missing;
    file.truncate(Math.multiplyExact(clusters, (long) image.clusterSize()), Preallocation.OFF);
  }
}
