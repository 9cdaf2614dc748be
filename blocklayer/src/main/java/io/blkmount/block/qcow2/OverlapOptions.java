// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.driver.DriverOptions;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import io.blkmount.block.qcow2.OverlapGuard.Area;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * What the options {@code overlap-check} and {@code overlap-check.*} have the guard look at, by
 * QEMU's names.
 */
final class OverlapOptions {
  private static final String MODE = "overlap-check";
  private static final String TEMPLATE = "overlap-check.template";

  /** In the order of the levels: each looks at what the ones before look at, and more. */
  private static final List<String> LEVELS = List.of("none", "constant", "cached", "all");

  private static final String DEFAULT_LEVEL = "cached";

  /**
   * A switch for a few areas.
   *
   * @param name behind {@code overlap-check.}
   * @param level from which on it is on by itself: an index in {@link #LEVELS}
   * @param areas which
   */
  private record Flag(String name, int level, Set<Area> areas) {}

  private static final List<Flag> FLAGS =
      List.of(
          new Flag("main-header", 1, EnumSet.of(Area.HEADER, Area.CRYPTO_HEADER)),
          new Flag("active-l1", 1, EnumSet.of(Area.L1_TABLE)),
          new Flag("active-l2", 2, EnumSet.of(Area.L2_TABLE)),
          new Flag("refcount-table", 1, EnumSet.of(Area.REFCOUNT_TABLE)),
          new Flag("refcount-block", 2, EnumSet.of(Area.REFCOUNT_BLOCK)),
          new Flag("snapshot-table", 1, EnumSet.of(Area.SNAPSHOT_TABLE)),
          new Flag("inactive-l1", 2, EnumSet.of(Area.SNAPSHOT_L1_TABLE)),
          new Flag("inactive-l2", 3, EnumSet.of(Area.SNAPSHOT_L2_TABLE)),
          new Flag(
              "bitmap-directory",
              1,
              EnumSet.of(Area.BITMAP_DIRECTORY, Area.BITMAP_TABLE, Area.BITMAP_DATA)));

  private OverlapOptions() {}

  /**
   * Takes the options.
   *
   * @return the areas to guard
   * @throws BlockException if a value is none that QEMU knows
   */
  static Set<Area> take(DriverOptions options) throws BlockException {
    int level = level(options.take(MODE), options.take(TEMPLATE));
    Set<Area> guarded = EnumSet.noneOf(Area.class);
    for (Flag flag : FLAGS) {
      if (options.takeBoolean(MODE + '.' + flag.name, level >= flag.level)) {
        guarded.addAll(flag.areas);
      }
    }
    return guarded;
  }

  private static int level(@Nullable String mode, @Nullable String template) throws BlockException {
    if (mode != null && template != null && !mode.equals(template)) {
      throw invalid(MODE + "=" + mode + " beside " + TEMPLATE + "=" + template);
    }
    String chosen = mode == null ? template : mode;
    int level = LEVELS.indexOf(chosen == null ? DEFAULT_LEVEL : chosen);
    if (level < 0) {
      throw invalid(MODE + "=" + chosen + ": none of " + String.join(", ", LEVELS));
    }
    return level;
  }

  private static BlockException invalid(String problem) {
    return new BlockException(BlockError.INVALID, "option " + problem);
  }
}
