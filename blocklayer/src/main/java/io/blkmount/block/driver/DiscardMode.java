// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.driver;

/** What becomes of discard requests. */
public enum DiscardMode {
  /** They do nothing. */
  IGNORE,
  /** They give space back. */
  UNMAP
}
