// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.driver;

/**
 * What an instance can do.
 *
 * @param writable writes are accepted
 * @param growable a write past the end makes the file longer (regular files)
 * @param writeFlags flags that {@code write} does itself; others are emulated or refused above
 * @param zeroFlags flags that {@code writeZeroes} does itself
 * @param writeZeroes whether {@code writeZeroes} is worth a call at all
 * @param discard whether {@code discard} is worth a call at all
 * @param newSpaceReadsZero bytes past the end that were never written read as zeros once the file
 *     has grown over them: true for regular files, false for devices
 */
public record Support(
    boolean writable,
    boolean growable,
    WriteFlags writeFlags,
    WriteFlags zeroFlags,
    boolean writeZeroes,
    boolean discard,
    boolean newSpaceReadsZero) {
  /** Reads and nothing else. */
  public static final Support READ_ONLY =
      new Support(false, false, WriteFlags.UNCHANGED, WriteFlags.NONE, false, false, false);
}
