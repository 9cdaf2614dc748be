// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.driver;

/**
 * A dirty bitmap as QEMU's {@code query-block} lists it.
 *
 * @param name unique in its image
 * @param granularity in bytes, a power of two
 * @param dirtyBytes the length of all marked granules; 0 if it is inconsistent
 * @param recording whether writes are marked
 * @param busy whether an operation has it, so that it cannot be changed
 * @param persistent whether the image keeps it
 * @param inconsistent whether the image was not closed while the bitmap was in use, so that its
 *     marks mean nothing; all it is good for is to be removed
 */
public record BitmapInfo(
    String name,
    long granularity,
    long dirtyBytes,
    boolean recording,
    boolean busy,
    boolean persistent,
    boolean inconsistent) {}
