// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.qcow2;

import io.blkmount.block.error.BlockError;
import io.blkmount.block.testing.FaultInstance;
import io.blkmount.block.testing.ForwardingInstance.Kind;
import java.util.EnumSet;
import java.util.Set;

/** How a host fails. */
enum FaultKind {
  /** One call fails and does nothing. */
  ONE_CALL,
  /** The disk is full from some call on; a write that fails has written its first half. */
  FULL_DISK;

  /** Every call that reaches the host but the close of the file. */
  static final Set<Kind> CALLS = EnumSet.complementOf(EnumSet.of(Kind.CLOSE));

  BlockError error() {
    return this == ONE_CALL ? BlockError.IO : BlockError.NO_SPACE;
  }

  boolean halfWrites() {
    return this == FULL_DISK;
  }

  void arm(FaultInstance host, int n) {
    if (this == ONE_CALL) {
      host.failOnce(n);
    } else {
      host.failFrom(n);
    }
  }
}
