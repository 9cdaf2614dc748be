// SPDX-License-Identifier: Apache-2.0
package io.blkmount.nativetests;

import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * The ways to the kernel that tests mount over. {@code -Dblkmount.tests.fuse=NAME} forces one of
 * them on every test.
 */
final class Transports {
  private static final @Nullable String FORCED = System.getProperty("blkmount.tests.fuse");

  private Transports() {}

  /** Returns what users get who do not ask. */
  static String usual() {
    return FORCED == null ? "auto" : FORCED;
  }

  /** Returns those that a class for both runs over. */
  static Stream<String> both() {
    return FORCED == null ? Stream.of("channel", "jnr-fuse") : Stream.of(FORCED);
  }

  /** Returns whether tests of what only the channel can do make sense. */
  static boolean includeChannel() {
    return FORCED == null || FORCED.equals("channel");
  }
}
