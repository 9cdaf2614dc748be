// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.driver.DriverOptions;
import io.blkmount.block.error.BlockException;
import org.jspecify.annotations.Nullable;

/**
 * The driver's own options, by QEMU's names.
 *
 * @param l2CacheSize {@code l2-cache-size} in bytes; 0 for as much as the image needs, {@link
 *     #MAX_L2_CACHE} at most
 * @param refcountCacheSize {@code refcount-cache-size} in bytes
 * @param cacheCleanSeconds {@code cache-clean-interval}: how long cached metadata may lie unused; 0
 *     for ever
 * @param internalSnapshot {@code internal-snapshot}: the id or name of the snapshot to show, or
 *     null for the disk as it is
 * @param encryptFormat {@code encrypt.format}: {@code luks} or {@code aes} if the image must be
 *     encrypted in that way, null if it may be as it is
 */
record Qcow2Options(
    long l2CacheSize,
    long refcountCacheSize,
    long cacheCleanSeconds,
    @Nullable String internalSnapshot,
    @Nullable String encryptFormat) {
  /** QEMU's default on Linux: covers 256 GiB with clusters of 64 KiB. */
  static final long MAX_L2_CACHE = 32L << 20;

  /** Refcounts are used in sequence, so that a small cache is as good as a large one. */
  static final long DEFAULT_REFCOUNT_CACHE = 256L << 10;

  /** QEMU's default. */
  static final long DEFAULT_CACHE_CLEAN_SECONDS = 600;

  static Qcow2Options take(DriverOptions options) throws BlockException {
    return new Qcow2Options(
        options.takeSize("l2-cache-size", 0),
        options.takeSize("refcount-cache-size", DEFAULT_REFCOUNT_CACHE),
        options.takeSize("cache-clean-interval", DEFAULT_CACHE_CLEAN_SECONDS),
        options.take("internal-snapshot"),
        options.take("encrypt.format"));
  }

  long l2CacheBytes(ClusterGeometry geometry, Qcow2Header header) {
    long needed = Math.max(1, geometry.l1EntriesFor(header.length())) << geometry.clusterBits();
    return l2CacheSize > 0 ? l2CacheSize : Math.min(MAX_L2_CACHE, needed);
  }

  long refcountCacheBytes(ClusterGeometry geometry) {
    return Math.max(refcountCacheSize, 4L * geometry.sliceSize());
  }
}
