// SPDX-License-Identifier: Apache-2.0
package io.blkmount.cli;

/** What it means that native code cannot be loaded: the host's fault, so no trace of ours. */
final class NativeCode {
  private static final String NO_PROVIDER = "could not load FFI provider";

  private NativeCode() {}

  /** Returns a line for the user. */
  static String problem(UnsatisfiedLinkError error) {
    String message = String.valueOf(error.getMessage());
    if (message.startsWith(NO_PROVIDER)) {
      // jffi unpacks its library before it loads it; its own words are a whole trace.
      return "cannot load native code through the folder \""
          + System.getProperty("java.io.tmpdir")
          + "\": it must be writable, have room and not be mounted noexec";
    }
    return "cannot load native code: " + message.lines().findFirst().orElse("");
  }
}
