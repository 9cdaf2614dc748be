// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.driver;

/** What becomes of writes whose bytes are all zero. */
public enum DetectZeroesMode {
  /** They are written. */
  OFF,
  /** They become zero requests. */
  ON,
  /** They become zero requests that may give space back. */
  UNMAP
}
