// SPDX-License-Identifier: Apache-2.0
package io.blkmount.cli;

/** What the process says to whoever waits for it. */
final class ExitCode {
  /** Done; of a server: everything is flushed and closed. */
  static final int DONE = 0;

  /** Refused or failed; of a server: the last flush failed, or open handles were cut off. */
  static final int FAILED = 1;

  /** The command line makes no sense. */
  static final int USAGE = 2;

  private ExitCode() {}
}
