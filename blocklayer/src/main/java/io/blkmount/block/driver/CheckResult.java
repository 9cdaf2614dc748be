// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.driver;

/**
 * What a check counted, in the terms of {@code qemu-img check --output=json}.
 *
 * @param checkErrors parts of the image that could not be checked
 * @param corruptions damage that loses data, or will
 * @param leaks clusters that are counted as used more often than they are
 * @param totalClusters clusters of the virtual disk
 * @param allocatedClusters guest clusters of the active disk with a place in the file
 * @param fragmentedClusters those of them that do not follow their neighbour in the file
 * @param compressedClusters those of them that are compressed; all of these count as fragmented
 * @param imageEndOffset where the last cluster in use ends, in bytes from the start of the file
 */
public record CheckResult(
    long checkErrors,
    long corruptions,
    long leaks,
    long totalClusters,
    long allocatedClusters,
    long fragmentedClusters,
    long compressedClusters,
    long imageEndOffset) {
  /** Returns whether nothing at all is wrong. */
  public boolean isClean() {
    return checkErrors == 0 && corruptions == 0 && leaks == 0;
  }
}
