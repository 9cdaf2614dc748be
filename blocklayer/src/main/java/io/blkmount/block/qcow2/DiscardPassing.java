// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.driver.DiscardMode;
import io.blkmount.block.driver.DriverOptions;
import io.blkmount.block.error.BlockException;

/**
 * Which free clusters are discarded in the file that they lie in, be it the image or its data file.
 *
 * @param request {@code pass-discard-request}; not given, it is what the node does with discards
 * @param snapshot {@code pass-discard-snapshot}
 * @param other {@code pass-discard-other}
 */
record DiscardPassing(boolean request, boolean snapshot, boolean other) {
  static DiscardPassing take(DriverOptions options) throws BlockException {
    return new DiscardPassing(
        options.takeBoolean("pass-discard-request", options.discard() == DiscardMode.UNMAP),
        options.takeBoolean("pass-discard-snapshot", true),
        options.takeBoolean("pass-discard-other", false));
  }

  /** Returns whether the space of what became free for a reason goes back to the host. */
  boolean passes(DiscardReason reason) {
    return switch (reason) {
      case CUT_OFF -> true;
      case REQUEST -> request;
      case SNAPSHOT -> snapshot;
      case OTHER -> other;
    };
  }
}
