// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

/**
 * Gives the memory of cached metadata back that nobody has used for a while: a mount that sits idle
 * shall not hold tens of megabytes. Stands for QEMU's {@code cache-clean-interval}.
 */
final class CacheCleaning implements AutoCloseable {
  /** Memory off the heap goes back to the system with a garbage collection: worth one from here. */
  private static final long WORTH_COLLECTING = 1 << 20;

  private final Metadata metadata;
  private final Alarm.Setting alarm;

  /**
   * Begins.
   *
   * @param metadata whose caches are cleaned
   * @param intervalSeconds how long a slice may lie unused; at least 1
   * @param clock says when that is over
   */
  CacheCleaning(Metadata metadata, long intervalSeconds, Alarm clock) {
    this.metadata = metadata;
    this.alarm = clock.every(intervalSeconds, this::clean);
  }

  private void clean() {
    long dropped = metadata.l2Cache().dropUnused() + metadata.refcountCache().dropUnused();
    if (dropped >= WORTH_COLLECTING) {
      System.gc(); // an idle process collects nothing by itself
    }
  }

  @Override
  public void close() {
    alarm.cancel(false);
  }
}
