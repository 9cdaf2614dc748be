// SPDX-License-Identifier: Apache-2.0
package io.blkmount.cli;

/** A command ends: with one line on standard error and an exit code. */
final class CommandFailure extends Exception {
  private static final long serialVersionUID = 1L;

  private final int exitCode;

  private CommandFailure(int exitCode, String message, Throwable cause) {
    super(message, cause);
    this.exitCode = exitCode;
  }

  /** Returns the failure of a command that was understood and could not be done. */
  static CommandFailure failed(String message) {
    return new CommandFailure(ExitCode.FAILED, message, null);
  }

  /** Returns the failure of a command that was understood and could not be done, with its cause. */
  static CommandFailure failed(String message, Throwable cause) {
    return new CommandFailure(ExitCode.FAILED, message, cause);
  }

  /** Returns the failure of a command line that makes no sense. */
  static CommandFailure usage(String message) {
    return new CommandFailure(ExitCode.USAGE, message + "; see blkmount --help", null);
  }

  int exitCode() {
    return exitCode;
  }
}
