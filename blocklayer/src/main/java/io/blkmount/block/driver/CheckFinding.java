// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.driver;

/**
 * One thing that is wrong with an image.
 *
 * @param kind how bad it is
 * @param count how many times, at least 1: a damaged table that two snapshots share counts twice
 * @param text one line: where, what, against what
 */
public record CheckFinding(Kind kind, long count, String text) {
  /** How bad it is. */
  public enum Kind {
    /** Guest data is lost, or will be by a write. */
    CORRUPTION,
    /** Space that nobody uses; the data is safe. */
    LEAK,
    /** A part of the image could not be checked at all. */
    ERROR
  }
}
