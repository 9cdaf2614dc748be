// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.bytes.BouncePool;
import io.blkmount.block.driver.CheckResult;
import io.blkmount.block.driver.ChildOpener;
import java.io.IOException;

/**
 * Changes properties of an image that is not open. Stands for {@code qcow2_amend_options()}, but
 * all of them change at once, with one write of the header: before it, what it will lead to is
 * written where nothing of the image is, or means the same to both.
 *
 * <pre>
 * check everything -> refcounts of a dirty image -> zero clusters -> new refcounts aside -> header
 * </pre>
 */
final class Qcow2Amender {
  private final String imageName;
  private final ChildOpener.Child file;
  private final Qcow2AmendOptions options;
  private final AmendRules rules;

  Qcow2Amender(String imageName, ChildOpener.Child file, Qcow2AmendOptions options) {
    this.imageName = imageName;
    this.file = file;
    this.options = options;
    this.rules = new AmendRules(imageName);
  }

  /**
   * What an image says and what it shall say.
   *
   * @param now in the file
   * @param next with the refcounts of now
   */
  private record Plan(FirstCluster now, FirstCluster next) {
    boolean changesVersion() {
      return now.header().version() != next.header().version();
    }

    boolean changesWidth() {
      return now.header().refcountOrder() != next.header().refcountOrder();
    }

    boolean isDowngrade() {
      return changesVersion() && next.header().version() < 3;
    }

    /** Zeros must stay zeros whichever header leads to them. */
    boolean isBacked() {
      return now.backingName() != null || next.backingName() != null;
    }
  }

  /**
   * Does it, durably.
   *
   * @throws IOException if it failed; before the host failed nothing has changed
   */
  void run() throws IOException {
    Plan plan = plan();
    if (plan.now.header().hasIncompatible(FeatureBits.DIRTY)) {
      settle();
      plan = plan();
    }
    if (plan.next.saysTheSameAs(plan.now)) {
      return;
    }
    if (plan.changesVersion() || plan.changesWidth()) {
      requireSound(plan);
    }
    if (plan.isDowngrade()) {
      new ZeroExpansion(rules, file, plan.isBacked()).run();
      plan = plan(); // new refcounts may have moved
    }
    new HeaderSwitch(file, plan.now, plan.changesWidth() ? withNewRefcounts(plan) : plan.next)
        .run();
  }

  private Plan plan() throws IOException {
    FirstCluster now = FirstCluster.read(imageName, file);
    rules.requireWritable(now.header());
    FirstCluster next = AmendedHeader.of(rules, now, options);
    new HeaderSwitch(file, now, next).requireRoom(rules);
    return new Plan(now, next);
  }

  /** What did not get to the disk when the image was in use is not amended, but repaired. */
  private void settle() throws IOException {
    CheckResult result = Qcow2Repair.repairDirty(imageName, file);
    rules.requireSound(result);
  }

  /** What is harmless for one version or width may mean something else for another. */
  private void requireSound(Plan plan) throws IOException {
    Qcow2Header next = plan.next.header();
    Qcow2Check check = rules.check(file);
    if (plan.changesVersion()) {
      rules.requireSnapshots(new SnapshotTable(imageName, file, plan.now.header()), next);
    }
    if (plan.isDowngrade()) {
      new ZeroExpansion(rules, file, plan.isBacked()).requirePossible(check);
    }
    if (plan.changesWidth()) {
      rules.keepCounts(check, new RefcountWidth(next.refcountOrder()));
    }
  }

  private FirstCluster withNewRefcounts(Plan plan) throws IOException {
    Qcow2Check check = rules.check(file);
    Qcow2Header next = plan.next.header();
    RefcountWidth width = new RefcountWidth(next.refcountOrder());
    rules.keepCounts(check, width);
    ClusterCounts counts = check.references().counts();
    RefcountGoal goal = new RefcountGoal(counts, true, check.image().clusterCount(), width.max());
    try (BouncePool.Bounce bounce = BouncePool.take(next.clusterSize())) {
      RefcountRebuild.Place place =
          new RefcountRebuild(file, check, goal, width).prepare(bounce.buffer());
      return plan.now.changedTo(
          next.withRefcountTable(place.tableOffset(), place.tableClusters()),
          plan.next.extensions(),
          plan.next.backingName());
    }
  }
}
