// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.bytes.BouncePool;
import io.blkmount.block.driver.CheckFinding;
import io.blkmount.block.driver.CheckResult;
import io.blkmount.block.driver.ChildOpener;
import io.blkmount.block.driver.RepairMode;
import io.blkmount.block.qcow2.CheckTally.Remedy;
import java.io.IOException;
import java.util.EnumSet;
import java.util.Set;
import java.util.function.Consumer;

/**
 * Puts an image right, in rounds. Each is a check of the whole image, which on its way puts right
 * what the round before has found in the tables; then the refcounts follow what it has counted.
 * When a round has nothing to do, the image is as good as it gets.
 *
 * <pre>
 * before    damaged snapshot records -> a table without them, counted, and one header write
 * round 1   count references -> refcounts, where they are or all anew
 * round 2   count references, COPIED flags by the new refcounts -> refcounts, if an entry went
 * round 3   count references, flags in what was a refcount structure until round 1
 * the last  count references: nothing left to do -> the corrupt and dirty bits go if all is well
 * </pre>
 *
 * <p>A crash at any point leaves what a repair can begin with: refcounts and flags are only derived
 * from the tables, and what leads to guest data is never touched.
 */
final class Qcow2Repair {
  /** More cannot be needed; something that is never done must not go on for ever. */
  private static final int MAX_ROUNDS = 6;

  /** What the first round can judge: the flags depend on refcounts that it will change. */
  private static final Set<Remedy> NO_FLAGS = EnumSet.complementOf(EnumSet.of(Remedy.FLAG));

  /** What the second round says beyond that. */
  private static final Set<Remedy> FLAGS = EnumSet.of(Remedy.FLAG);

  private static final Set<Remedy> NOTHING = EnumSet.noneOf(Remedy.class);

  private final String imageName;
  private final ChildOpener.Child file;
  private final RepairMode mode;
  private final Consumer<CheckFinding> findings;

  private Qcow2Repair(
      String imageName, ChildOpener.Child file, RepairMode mode, Consumer<CheckFinding> findings) {
    this.imageName = imageName;
    this.file = file;
    this.mode = mode;
    this.findings = findings;
  }

  /**
   * Repairs an image.
   *
   * @param imageName for messages
   * @param findings told of what was wrong
   * @return what still is wrong, and what is not any more
   * @throws IOException if the file cannot be read or written, is no qcow2 image, or its header is
   *     damaged
   */
  static CheckResult repair(
      String imageName, ChildOpener.Child file, RepairMode mode, Consumer<CheckFinding> findings)
      throws IOException {
    Qcow2Repair repair = new Qcow2Repair(imageName, file, mode, findings);
    return repair.run(repair.round(TableRepair.NONE, NO_FLAGS));
  }

  /**
   * Repairs an image that was not closed cleanly, unless more is wrong with it than refcounts can
   * be: then it is left as it is, and the result says so.
   */
  static CheckResult repairDirty(String imageName, ChildOpener.Child file) throws IOException {
    Qcow2Repair repair = new Qcow2Repair(imageName, file, RepairMode.ALL, finding -> {});
    Round first = repair.round(TableRepair.NONE, NOTHING);
    return first.isComplete() && first.count(Remedy.SHARED) == 0 ? repair.run(first) : first.result;
  }

  /**
   * A check that has run.
   *
   * @param check of the whole image
   * @param result what it counted
   */
  private record Round(Qcow2Check check, CheckResult result) {
    long count(Remedy remedy) {
      return check.tally().count(remedy);
    }

    /** Returns whether all references were found. */
    boolean isComplete() {
      return count(Remedy.NONE) == 0 && count(Remedy.SNAPSHOT) == 0;
    }

    /** Returns how many entries are still to be put right. */
    long entriesLeft() {
      return count(Remedy.FLAG) + count(Remedy.ENTRY);
    }

    /** Returns the damage without flags that disagree with refcounts, and what stands for some. */
    long corruptions() {
      return result.corruptions() - count(Remedy.FLAG) + count(Remedy.SNAPSHOT);
    }

    boolean isConsistent() {
      return result.corruptions() == 0 && result.checkErrors() == 0;
    }
  }

  private Round round(TableRepair repair, Set<Remedy> told) throws IOException {
    return round(CheckedImage.read(imageName, file), repair, told);
  }

  private Round round(CheckedImage image, TableRepair repair, Set<Remedy> told) throws IOException {
    Qcow2Check check = new Qcow2Check(image, new CheckTally(findings, told), repair);
    return new Round(check, check.run());
  }

  private CheckResult run(Round first) throws IOException {
    boolean mayWrite = mayWrite(first);
    if (mayWrite && !first.result.isClean()) {
      Qcow2Header header = first.check.image().header();
      new HeaderFields(file, header.clusterBits()).clearUnknown(header);
    }
    Round last = mode == RepairMode.ALL ? repairSnapshots(first) : first;
    boolean changed = mayWrite && writeRefcounts(last, last.isComplete());
    boolean goesOn = changed || last.entriesLeft() > 0;
    long flagsFixed = 0;
    for (int i = 2; goesOn && i <= MAX_ROUNDS; i++) {
      last = round(mayWrite ? repairAfter(last) : TableRepair.NONE, i == 2 ? FLAGS : NOTHING);
      flagsFixed += last.check.repair().flags();
      // Refcounts that moved away may have left a cluster that is nothing but an L2 table now.
      boolean isSurerNow = changed && last.entriesLeft() > 0;
      changed = finish(last, mayWrite);
      goesOn = changed || isSurerNow;
    }
    if (last.isConsistent()) {
      clearMarks(last.check.image().header());
    }
    return last.result.withFixed(
        Math.max(0, first.corruptions() - last.corruptions()) + flagsFixed,
        Math.max(0, first.result.leaks() - last.result.leaks()));
  }

  /** Leaks are given back only if nothing else is wrong: who knows what a damaged entry led to. */
  private boolean mayWrite(Round first) {
    return mode == RepairMode.ALL || (first.corruptions() == 0 && first.result.checkErrors() == 0);
  }

  /** Returns the round to go on with: a new one if the snapshot table is another now. */
  private Round repairSnapshots(Round first) throws IOException {
    CheckedImage image = first.check.image();
    SnapshotTableRepair table = SnapshotTableRepair.of(image);
    if (!table.isNeeded()) {
      return first;
    }
    Qcow2Header header = table.header(image.header().snapshotTableOffset());
    if (table.moves()) {
      header = table.header(table.writeAside(file, first.check));
      count(header);
    }
    new HeaderFields(file, image.clusterBits()).switchSnapshotTable(header);
    return round(TableRepair.NONE, NOTHING);
  }

  /** Sees to it that what an image has with a header has refcounts; what it has now keeps them. */
  private void count(Qcow2Header header) throws IOException {
    CheckedImage image = CheckedImage.read(imageName, file).withHeader(header);
    boolean unused = writeRefcounts(round(image, TableRepair.NONE, NOTHING), false);
  }

  private TableRepair repairAfter(Round round) {
    return TableRepair.of(
        file, round.check.references().counts(), round.check.tables(), round.isComplete());
  }

  /** Ends a round that may have changed tables; returns whether there has to be another one. */
  private boolean finish(Round round, boolean mayWrite) throws IOException {
    boolean changed = round.check.repair().changes() > 0;
    if (changed) {
      file.flush(); // before a refcount goes down, what pointed there must be gone
    }
    return (mayWrite && writeRefcounts(round, round.isComplete())) || changed;
  }

  /**
   * Makes the refcounts what the round has counted.
   *
   * @param isComplete whether refcounts may go down, too
   * @return whether any was wrong
   */
  private boolean writeRefcounts(Round round, boolean isComplete) throws IOException {
    Qcow2Check check = round.check;
    CheckedImage image = check.image();
    ClusterCounts counts = check.references().counts();
    RefcountGoal goal =
        new RefcountGoal(counts, isComplete, image.clusterCount(), check.stored().width().max());
    if (round.count(Remedy.REFCOUNT) == 0) {
      return false;
    }
    try (BouncePool.Bounce bounce = BouncePool.take(image.clusterSize())) {
      if (check.stored().needRebuild(counts)) {
        new RefcountRebuild(file, check, goal).run(bounce.buffer());
        return true;
      }
      boolean changed = new RefcountRewrite(image, check.stored(), goal).run(file, bounce.buffer());
      file.flush();
      return changed;
    }
  }

  /** Takes the marks from an image that is in order. */
  private void clearMarks(Qcow2Header header) throws IOException {
    long marks = FeatureBits.DIRTY | FeatureBits.CORRUPT;
    if (header.version() >= 3 && (header.incompatibleFeatures() & marks) != 0) {
      file.flush();
      new HeaderFields(file, header.clusterBits())
          .writeIncompatible(header.incompatibleFeatures() & ~marks);
      file.flush();
    }
  }
}
