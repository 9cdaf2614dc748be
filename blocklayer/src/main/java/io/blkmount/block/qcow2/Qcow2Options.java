// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.driver.DriverOptions;
import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import io.blkmount.block.qcow2.OverlapGuard.Area;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The driver's own options, by QEMU's names.
 *
 * @param caches {@code l2-cache-size} and its kin
 * @param cacheCleanSeconds {@code cache-clean-interval}: how long cached metadata may lie unused; 0
 *     for ever
 * @param discards {@code pass-discard-request} and its kin: whose space is given back
 * @param guarded {@code overlap-check} and {@code overlap-check.*}: what is never overwritten
 * @param lazyRefcounts {@code lazy-refcounts}: refcounts may be late. They never are: to write them
 *     in time costs no flush here, and so nothing has to be repaired after a crash
 * @param discardNoUnref {@code discard-no-unref}: a discarded cluster keeps its place in the file
 * @param internalSnapshot {@code internal-snapshot}: the id or name of the snapshot to show, or
 *     null for the disk as it is
 * @param encryptFormat {@code encrypt.format}: {@code luks} or {@code aes} if the image must be
 *     encrypted in that way, null if it may be as it is
 */
record Qcow2Options(
    CacheSizes caches,
    long cacheCleanSeconds,
    DiscardPassing discards,
    Set<Area> guarded,
    boolean lazyRefcounts,
    boolean discardNoUnref,
    @Nullable String internalSnapshot,
    @Nullable String encryptFormat) {
  /** QEMU's default. */
  static final long DEFAULT_CACHE_CLEAN_SECONDS = 600;

  /** QEMU keeps it in 32 bits. */
  private static final long MAX_CACHE_CLEAN_SECONDS = 0xffff_ffffL;

  static Qcow2Options take(DriverOptions options) throws BlockException {
    return new Qcow2Options(
        CacheSizes.take(options),
        cleanSeconds(options),
        DiscardPassing.take(options),
        OverlapOptions.take(options),
        options.takeBoolean("lazy-refcounts", false),
        options.takeBoolean("discard-no-unref", false),
        options.take("internal-snapshot"),
        options.take("encrypt.format"));
  }

  private static long cleanSeconds(DriverOptions options) throws BlockException {
    long seconds = options.takeSize("cache-clean-interval", DEFAULT_CACHE_CLEAN_SECONDS);
    if (seconds > MAX_CACHE_CLEAN_SECONDS) {
      throw new BlockException(
          BlockError.INVALID,
          "option cache-clean-interval="
              + seconds
              + ": more than "
              + MAX_CACHE_CLEAN_SECONDS
              + " seconds");
    }
    return seconds;
  }

  /** Fails if an option does not go with the image. */
  void requireFor(Qcow2Header header) throws BlockException {
    caches.requireFor(header.clusterSize());
    requireVersion3(header, "lazy-refcounts", lazyRefcounts);
    requireVersion3(header, "discard-no-unref", discardNoUnref);
  }

  private static void requireVersion3(Qcow2Header header, String option, boolean isOn)
      throws BlockException {
    if (isOn && header.version() < 3) {
      throw new BlockException(
          BlockError.INVALID,
          "option " + option + "=on: the image has version 2 of the format, version 3 is needed");
    }
  }

  long l2CacheBytes(ClusterGeometry geometry, Qcow2Header header) {
    return caches.l2Bytes(l2Needed(geometry, header), geometry);
  }

  private static long l2Needed(ClusterGeometry geometry, Qcow2Header header) {
    return Math.max(1, geometry.l1EntriesFor(header.length())) << geometry.clusterBits();
  }

  long refcountCacheBytes(ClusterGeometry geometry, Qcow2Header header) {
    return caches.refcountBytes(l2Needed(geometry, header), geometry);
  }
}
