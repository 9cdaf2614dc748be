// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

/** Why host clusters became free: it decides whether their space goes back to the host. */
enum DiscardReason {
  /** The disk became shorter: its space always goes back, as in QEMU. */
  CUT_OFF,
  /** The guest discarded or zeroed what was there. */
  REQUEST,
  /** A snapshot was deleted or applied. */
  SNAPSHOT,
  /**
   * A table moved, or data was written to another place. The next allocation takes the cluster, so
   * that to give its space back first is mostly for nothing.
   */
  OTHER
}
