// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * How many states each crash test judges at least in the default run: the one place where they are
 * added up. Each run of a test is held to its floor, so that a log that became short, or a rate
 * that became low, is no success.
 */
enum CrashFloor {
  /** {@link Qcow2CrashTest}, one guest thread and four: requests and resizes, two per shape. */
  REQUESTS(100, 2 * Math.toIntExact(Qcow2CrashTest.shapes().count())),

  /** The same in whole blocks. */
  WHOLE_BLOCKS(50, Math.toIntExact(Qcow2CrashTest.shapes().count())),

  /** {@link SnapshotCrashTest}. */
  SNAPSHOTS(150, Math.toIntExact(SnapshotCrashTest.shapes().count())),

  /** {@link BitmapCrashTest}. */
  BITMAPS(300, Math.toIntExact(BitmapCrashTest.shapes().count())),

  /** {@link DataFileCrashTest}: three seeds for each set of options. */
  DATA_FILE(360, 7),

  /** {@link Qcow2RepairCrashTest}, for each set of options. */
  REPAIR(60, 5),

  /** {@link Qcow2RepairFeatureCrashTest}, for each image. */
  REPAIR_OF_FEATURES(40, 7),

  /** {@link LazyRefcountsCrashTest}, for each set of options. */
  LAZY_REFCOUNTS(40, 4);

  private final int statesOfARun;
  private final int runs;

  CrashFloor(int statesOfARun, int runs) {
    this.statesOfARun = statesOfARun;
    this.runs = runs;
  }

  int statesOfARun() {
    return statesOfARun;
  }

  int states() {
    return statesOfARun * runs;
  }

  /** Fails if one run of the test has judged too few. */
  void require(int judged) {
    assertThat(judged).as("states judged, %s", this).isGreaterThanOrEqualTo(statesOfARun);
  }
}
