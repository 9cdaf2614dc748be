// SPDX-License-Identifier: Apache-2.0
package io.blkmount.cli;

import java.util.List;
import picocli.CommandLine;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Model.PositionalParamSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ParseResult;

/** Reads words into {@link CommandLineOptions}. */
final class CommandLineParser {
  private CommandLineParser() {}

  /**
   * Returns what the words say.
   *
   * @throws CommandFailure with exit code 2 if they say nothing that exists
   */
  static CommandLineOptions parse(List<String> words) throws CommandFailure {
    try {
      return withoutEmpty(options(configured().parseArgs(words.toArray(String[]::new))));
    } catch (ParameterException e) {
      throw CommandFailure.usage(lowerCaseStart(e.getMessage()));
    }
  }

  /** A file may be called {@code @x}, and a name in quotes keeps them. */
  private static CommandLine configured() {
    return new CommandLine(syntax())
        .setExpandAtFiles(false)
        .setTrimQuotes(false)
        .setOverwrittenOptionsAllowed(true);
  }

  private static CommandSpec syntax() {
    CommandSpec syntax = CommandSpec.create();
    for (Option option : Option.values()) {
      syntax.addOption(option.spec());
    }
    return syntax.addPositional(
        PositionalParamSpec.builder().index("0..*").arity("0..*").type(String[].class).build());
  }

  private static CommandLineOptions options(ParseResult result) {
    CommandLineOptions options = new CommandLineOptions();
    for (Option option : Option.values()) {
      OptionSpec matched = result.matchedOption(option.toString());
      if (matched != null && !isTakenBack(matched)) {
        matched.stringValues().forEach(value -> options.add(option, value));
      }
    }
    result.matchedPositionals().stream()
        .distinct() // one for each run of operands between options, each with all of them
        .flatMap(operands -> operands.stringValues().stream())
        .forEach(options::addOperand);
    return options;
  }

  /** A variable that is not set is no way to say "the current directory". */
  private static CommandLineOptions withoutEmpty(CommandLineOptions options) throws CommandFailure {
    if (options.operands().contains("")) {
      throw CommandFailure.usage("the name of an image or of a mount point is empty");
    }
    return options;
  }

  /** Flags may be written as {@code --snapshot=false}. */
  private static boolean isTakenBack(OptionSpec matched) {
    return Boolean.FALSE.equals(matched.getValue());
  }

  private static String lowerCaseStart(String message) {
    return Character.toLowerCase(message.charAt(0)) + message.substring(1);
  }
}
