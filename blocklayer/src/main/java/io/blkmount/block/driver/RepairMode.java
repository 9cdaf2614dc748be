// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.driver;

/** How much of what a check finds is put right; {@code qemu-img check -r} has the same words. */
public enum RepairMode {
  /** Space that nobody uses is given back, if nothing else is wrong. */
  LEAKS,
  /** Everything that can be. */
  ALL
}
