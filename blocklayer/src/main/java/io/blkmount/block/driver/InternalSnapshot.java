// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.driver;

import java.time.Instant;

/**
 * A state of the disk that is kept inside the image.
 *
 * @param id unique in the image, most often a number
 * @param name as its user calls it; may be empty, and not the only one of its kind
 * @param takenAt when
 * @param vmClockNanos how long the guest had run, in nanoseconds
 * @param icount how many instructions the guest had run; -1 if that was not recorded
 * @param vmStateLength of the machine's saved state in bytes; 0 for the disk alone
 * @param diskLength of the snapshot's disk in bytes
 */
public record InternalSnapshot(
    String id,
    String name,
    Instant takenAt,
    long vmClockNanos,
    long icount,
    long vmStateLength,
    long diskLength) {}
