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
 * @param corruptionsFixed damage that a repair has undone; what is left of it is in {@code
 *     corruptions}
 * @param leaksFixed leaked clusters that a repair has given back
 */
public record CheckResult(
    long checkErrors,
    long corruptions,
    long leaks,
    long totalClusters,
    long allocatedClusters,
    long fragmentedClusters,
    long compressedClusters,
    long imageEndOffset,
    long corruptionsFixed,
    long leaksFixed) {
  /** Returns whether nothing at all is wrong. */
  public boolean isClean() {
    return checkErrors == 0 && corruptions == 0 && leaks == 0;
  }

  /**
   * Returns this result after a repair.
   *
   * @param corruptions that were undone
   * @param leaks that were given back
   */
  public CheckResult withFixed(long corruptions, long leaks) {
    return new CheckResult(
        checkErrors,
        this.corruptions,
        this.leaks,
        totalClusters,
        allocatedClusters,
        fragmentedClusters,
        compressedClusters,
        imageEndOffset,
        corruptions,
        leaks);
  }
}
