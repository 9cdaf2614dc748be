// SPDX-License-Identifier: Apache-2.0
package io.blkmount.cli;

import org.jspecify.annotations.Nullable;

/** Which blkmount this is. */
final class Version {
  private Version() {}

  /** Returns one line: the program, its version, and the Java that runs it. */
  static String line() {
    @Nullable String version = Version.class.getPackage().getImplementationVersion();
    return "blkmount "
        + (version == null ? "(development)" : version)
        + ", Java "
        + Runtime.version();
  }
}
