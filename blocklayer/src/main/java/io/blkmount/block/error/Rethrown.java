// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.error;

import java.io.IOException;
import org.jspecify.annotations.Nullable;

/** Throws again what was kept while something else had to be done first. */
public final class Rethrown {
  private Rethrown() {}

  /**
   * Throws what was kept, as what it is.
   *
   * @param failure an {@code IOException}, a fault of ours, or null for none
   * @throws IOException if it is one
   */
  public static void rethrow(@Nullable Throwable failure) throws IOException {
    if (failure instanceof IOException e) {
      throw e;
    } else if (failure instanceof RuntimeException e) {
      throw e;
    } else if (failure instanceof Error e) {
      throw e;
    }
  }
}
