// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.testing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.blkmount.block.error.BlockError;
import io.blkmount.block.error.BlockException;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;

/** What is expected of calls that fail. */
public final class Failures {
  private Failures() {}

  /**
   * Fails unless a call does, as it should.
   *
   * @param call that has to fail
   * @param error how
   * @param message a part of what it says
   */
  public static void assertFails(ThrowingCallable call, BlockError error, String message) {
    assertThatThrownBy(call)
        .isInstanceOfSatisfying(BlockException.class, e -> assertThat(e.error()).isEqualTo(error))
        .hasMessageContaining(message);
  }
}
