// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.bytes.BouncePool;
import io.blkmount.block.driver.BlockIo;
import io.blkmount.block.driver.CheckFinding;
import io.blkmount.block.driver.CheckFinding.Kind;
import io.blkmount.block.driver.CheckResult;
import io.blkmount.block.qcow2.HeaderExtensions.CryptoPointer;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.function.Consumer;

/**
 * Checks an image from its file alone: counts who refers to each cluster, and compares that with
 * the refcounts. Stands for {@code qcow2_check_refcounts()}, and counts as that does.
 *
 * <p>No table is read twice but refcount blocks, and memory goes by the clusters of the file (2
 * bytes for each, 4 more near an L2 table), whatever the image says of itself: a table that many
 * others lead to is walked once, with a weight. Reads no guest data.
 *
 * <p>Finds more than QEMU in four points: metadata that shares its cluster although the refcount
 * agrees, the zero flag where the version or extended L2 entries have none, several damaged bitmaps
 * at once, and snapshots without any data or with a length of 2^63 or more. A misaligned L2 table
 * is damage, and what garbage it may contain is not looked at.
 */
final class Qcow2Check {
  private final CheckedImage image;
  private final CheckTally tally;
  private final HostReferences references;
  private final StoredRefcounts stored;
  private final L1Walk l1;
  private final L2Walk l2;
  private final TableRepair repair;

  /**
   * Prepares a check.
   *
   * @param tally counts what it finds
   * @param repair of the tables on the way, or {@link TableRepair#NONE}
   */
  Qcow2Check(CheckedImage image, CheckTally tally, TableRepair repair) throws IOException {
    this.image = image;
    this.tally = tally;
    this.repair = repair;
    this.references = new HostReferences(image, tally);
    this.stored = StoredRefcounts.read(image);
    this.l1 = new L1Walk(image, stored, references, tally, repair);
    this.l2 = new L2Walk(image, stored, references, tally, repair);
  }

  /**
   * Checks an image.
   *
   * @param imageName for messages
   * @param file only read
   * @param findings told of what is wrong
   * @throws IOException if the file cannot be read, is no qcow2 image, or its header is damaged
   */
  static CheckResult check(String imageName, BlockIo file, Consumer<CheckFinding> findings)
      throws IOException {
    CheckedImage image = CheckedImage.read(imageName, file);
    return new Qcow2Check(image, new CheckTally(findings), TableRepair.NONE).run();
  }

  CheckResult run() throws IOException {
    try (BouncePool.Bounce bounce = BouncePool.take(image.clusterSize())) {
      // The COPIED flags are checked on the way, so who has a refcount of 1 must be known before.
      stored.markSingles(references.counts(), bounce.buffer());
      countReferences(bounce.buffer());
      RefcountComparison comparison =
          new RefcountComparison(image, stored, references.counts(), l1.tables(), tally);
      comparison.run(bounce.buffer());
      return result(comparison.imageEndOffset());
    }
  }

  private void countReferences(ByteBuffer buffer) throws IOException {
    references.own("header", 0, image.clusterSize());
    l1.walkActive();
    new SnapshotWalk(image, references, l1, tally).walk();
    l1.walkInactive();
    l2.walk(l1.tables(), l1.activeTables(), buffer);
    CryptoPointer crypto = image.extensions().crypto();
    if (crypto != null) {
      references.own("LUKS header", crypto.offset(), crypto.length());
    }
    new BitmapWalk(image, references, tally).walk();
    stored.addReferences(references, tally);
  }

  private CheckResult result(long imageEndOffset) {
    return new CheckResult(
        tally.count(Kind.ERROR),
        tally.count(Kind.CORRUPTION),
        tally.count(Kind.LEAK),
        image.guestClusterCount(),
        l2.allocated(),
        l2.fragmented(),
        l2.compressed(),
        imageEndOffset,
        0,
        0);
  }

  CheckedImage image() {
    return image;
  }

  CheckTally tally() {
    return tally;
  }

  TableRepair repair() {
    return repair;
  }

  StoredRefcounts stored() {
    return stored;
  }

  /** Returns the references that were counted. */
  HostReferences references() {
    return references;
  }

  /** Returns how many entries of all L1 tables lead to the L2 table in each cluster. */
  ClusterCounts tables() {
    return l1.tables();
  }

  /** Returns how many entries of the active L1 table do. */
  ClusterCounts activeTables() {
    return l1.activeTables();
  }
}
