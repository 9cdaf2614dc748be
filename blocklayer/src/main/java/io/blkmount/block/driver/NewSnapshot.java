// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.driver;

import java.time.Instant;

/**
 * What a snapshot is taken with; the image gives it an id.
 *
 * @param name as its user calls it
 * @param takenAt when, for lists
 * @param vmClockNanos how long the guest has run, in nanoseconds
 * @param icount how many instructions the guest has run, or {@link #NO_ICOUNT}
 * @param vmStateLength in bytes, of the machine's state that was saved before; 0 for the disk alone
 */
public record NewSnapshot(
    String name, Instant takenAt, long vmClockNanos, long icount, long vmStateLength) {
  /** Nobody counts instructions. */
  public static final long NO_ICOUNT = -1;

  /**
   * Returns a snapshot of the disk alone.
   *
   * @param name as its user calls it
   * @param takenAt when
   */
  public static NewSnapshot ofDisk(String name, Instant takenAt) {
    return new NewSnapshot(name, takenAt, 0, NO_ICOUNT, 0);
  }
}
