// SPDX-License-Identifier: Apache-2.0
package io.blkmount.cli;

import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/** Values of options that are one of a few words, or a number. */
final class Choices {
  private Choices() {}

  /** Returns the constant whose name in lower case is the value; the fallback if there is none. */
  static <E extends Enum<E>> E oneOf(CommandLineOptions options, Option option, E fallback)
      throws CommandFailure {
    @Nullable String value = options.value(option);
    if (value == null) {
      return fallback;
    }
    E[] constants = fallback.getDeclaringClass().getEnumConstants();
    for (E constant : constants) {
      if (spelling(constant).equals(value)) {
        return constant;
      }
    }
    String known =
        Arrays.stream(constants).map(Choices::spelling).collect(Collectors.joining(", "));
    throw CommandFailure.usage(option + " " + value + ": not one of " + known);
  }

  private static String spelling(Enum<?> constant) {
    return constant.name().toLowerCase(Locale.ROOT).replace('_', '-');
  }

  /** Returns a decimal number; the fallback if there is none. */
  static int number(CommandLineOptions options, Option option, int least, int most, int fallback)
      throws CommandFailure {
    @Nullable String value = options.value(option);
    if (value == null) {
      return fallback;
    }
    try {
      int number = Integer.parseInt(value);
      if (number >= least && number <= most) {
        return number;
      }
    } catch (NumberFormatException notANumber) {
      // the same answer as for one out of range
    }
    throw CommandFailure.usage(
        option + " " + value + ": not a number from " + least + " to " + most);
  }
}
