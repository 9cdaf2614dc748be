// SPDX-License-Identifier: Apache-2.0
package io.blkmount.cli;

import io.blkmount.fuse.ServingOptions;
import io.blkmount.fuse.ServingOptions.Passthrough;

/** The options that say how requests come from the kernel. */
final class ServingChoices {
  /** The kernel sends fewer requests than that at once. */
  private static final int MAX_THREADS = 1024;

  /** Longer than that, sleeping costs nothing any more. */
  private static final int MAX_SPIN_MICROS = 10_000;

  private ServingChoices() {}

  /** The values of {@code --fuse}; the names of the transports. */
  private enum Fuse {
    AUTO,
    CHANNEL,
    JNR_FUSE;

    String transport() {
      return switch (this) {
        case AUTO -> ServingOptions.AUTO;
        case CHANNEL -> "channel";
        case JNR_FUSE -> "jnr-fuse";
      };
    }
  }

  static ServingOptions parse(CommandLineOptions options) throws CommandFailure {
    return new ServingOptions(
        Choices.oneOf(options, Option.FUSE, Fuse.AUTO).transport(),
        Choices.number(options, Option.THREADS, 1, MAX_THREADS, ServingOptions.AS_MEASURED),
        Choices.number(
            options, Option.SPIN, 0, MAX_SPIN_MICROS, ServingOptions.DEFAULT_SPIN_MICROS),
        Choices.oneOf(options, Option.PASSTHROUGH, Passthrough.AUTO));
  }
}
