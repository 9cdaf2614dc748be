// SPDX-License-Identifier: Apache-2.0
package io.blkmount.cli;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.List;
import picocli.CommandLine;
import picocli.CommandLine.Help.Ansi;
import picocli.CommandLine.ParameterException;

/** Reads words into {@link CommandLineOptions}, and prints the help. */
final class CommandLineParser {
  private CommandLineParser() {}

  /**
   * Returns what the words say.
   *
   * @throws CommandFailure with exit code 2 if they say nothing that exists
   */
  static CommandLineOptions parse(List<String> words) throws CommandFailure {
    CommandLineOptions options = new CommandLineOptions();
    try {
      configured(options).parseArgs(words.toArray(String[]::new));
    } catch (ParameterException e) {
      throw CommandFailure.usage(lowerCaseStart(e.getMessage()));
    }
    return options;
  }

  static String help() {
    StringWriter text = new StringWriter();
    configured(new CommandLineOptions()).usage(new PrintWriter(text), Ansi.OFF);
    return text.toString();
  }

  /** A file may be called {@code @x}, and a name in quotes keeps them. */
  private static CommandLine configured(CommandLineOptions options) {
    return new CommandLine(options)
        .setExpandAtFiles(false)
        .setTrimQuotes(false)
        .setOverwrittenOptionsAllowed(true);
  }

  private static String lowerCaseStart(String message) {
    return Character.toLowerCase(message.charAt(0)) + message.substring(1);
  }
}
